import IR
import Models
import Testing

@testable import Adversarial

func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch { return "\(error)" }
}

@Suite struct RecipeTests {
  @Test func emptyRecipeHasThePapersDefaults() throws {
    let recipe = try Recipe.parse("")
    #expect(recipe == Recipe())
    #expect(recipe.attack.eps.value == 0.03)
    #expect(recipe.attack.step.value == 0.007)
    #expect(recipe.attack.steps == 10)
    #expect(recipe.totalEpochs == 100)
    #expect(recipe.clat.period == 10)
  }

  @Test func everyValueIsWrittenAndReadsBack() throws {
    let text = """
      seed: 18446744073709551615
      last_batch: drop
      model: {name: "resnet18:width=16", mean: [0.4914, 0.4822, 0.4465], std: [0.2471, 0.2435, 0.2616]}
      data: {source: "a: path # with signs", limit: 100, validation: 7, augmentation: none}
      base: {method: standard, epochs: 3}
      clat:
        candidates: [layer1.0.conv1, layer2.0, linear, "layer2.1"]
        batch_norm: train
        reset_momentum: false
        selection: fixed
        layers: [layer1.0.conv1, 3]
        lambda: 0.25
        normalization: 1/sqrt(N)
        first_layer: exclude
        ce: both
        tap: block
        fast: true
      attack: {eps: 8/255, step: 2/255, random_start: false, batch_norm: train}
      optimizer: {schedule: piecewise, milestones: [1, 2], lr_per: epoch, weight_decay: 2e-4}
      evaluation: {eps: 16/255, every: 0, split: validation, count: 5}
      """
    let recipe = try Recipe.parse(text)
    #expect(recipe.clat.selection.layers == ["layer1.0.conv1", "3"])
    #expect(recipe.clat.candidates.names == ["layer1.0.conv1", "layer2.0", "linear", "layer2.1"])
    #expect(recipe.clat.batchNorm == .train && !recipe.clat.resetsMomentum)
    #expect(recipe.clat.lambda == .value(0.25))
    #expect(recipe.attack.eps.value == 8.0 / 255)
    #expect(recipe.attack.start == .clean)
    #expect(recipe.attack.batchNorm == .train)
    #expect(recipe.data.source == "a: path # with signs")
    #expect(recipe.seed == .max)
    let again = try Recipe.parse(recipe.text)
    #expect(again == recipe)
    #expect(again.text == recipe.text)
    #expect(recipe.text.contains("eps: 8/255  # 8/255 = 0.03137"))
    #expect(try Recipe.parse(Recipe().text) == Recipe())
    #expect(Recipe().text.contains("eps: 0.03  # 0.03 = 7.65/255"))
  }

  @Test func setsOfLayers() throws {
    let recipe = try Recipe.parse(
      "base: {method: standard}\n"
        + "clat: {unit: block, include_linear: true, include_shortcuts: true, ce: base}")
    #expect(
      recipe.clat.candidates
        == LayerSet(unit: .block, includesShortcuts: true, includesLinear: true))
    #expect(recipe.clat.crossEntropy == .base && recipe.clatGraphOptions.crossEntropy == .clean)
    #expect(try Recipe.parse(recipe.text) == recipe)
    let names = try Recipe.parse("", overrides: ["clat.candidates=conv1,linear", "clat.ce=base"])
    #expect(names.clat.candidates == LayerSet(names: ["conv1", "linear"]))
    #expect(names.clatGraphOptions.crossEntropy == .base)
  }

  @Test func overridesComeLastAndGoThroughTheSameReader() throws {
    let recipe = try Recipe.parse(
      "attack: {steps: 3}",
      overrides: ["attack.steps=5", "clat.k=2", "model.name=small-cnn", "clat.layers=[]"])
    #expect(recipe.attack.steps == 5)
    #expect(recipe.clat.selection.count == 2)
    #expect(recipe.model.name == "small-cnn")
    let lists = [
      "clat.selection=fixed", "clat.layers=11,4", "model.mean=.485, .456", "model.std=1,2",
    ]
    let other = try Recipe.parse("", overrides: lists)
    #expect(other.clat.selection.layers == ["11", "4"])
    #expect(other.model.mean == [0.485, 0.456])
    #expect(
      message { _ = try Recipe.parse("", overrides: ["attack.steps=many"]) }
        == "--set attack.steps=many: attack.steps: expected a whole number, found 'many'")
    #expect(
      message { _ = try Recipe.parse("", overrides: ["attack.randomstart=1"]) }
        == "--set attack.randomstart=1: unknown key 'randomstart' in 'attack'; did you mean 'random_start'?"
    )
    #expect(
      message { _ = try Recipe.parse("", overrides: ["steps"]) }.contains("path.to.key=value"))
  }

  @Test(arguments: [
    (
      "seed: 1\nattack:\n  stepss: 3",
      "recipe.yaml:3: unknown key 'stepss' in 'attack'; did you mean 'steps'?"
    ),
    ("attack: 7", "recipe.yaml:1: attack: expected a section with keys, found '7'"),
    (
      "attack:\n  eps: big",
      "recipe.yaml:2: attack.eps: expected a distance such as 8/255 or 0.03, found 'big'"
    ),
    (
      "attack:\n  eps: -1",
      "recipe.yaml:2: attack.eps: expected a distance such as 8/255 or 0.03, found '-1'"
    ),
    (
      "clat:\n  tap: acts",
      "recipe.yaml:2: clat.tap: expected activation | convolution | block, found 'acts'"
    ),
    (
      "clat:\n  include_shortcut: true",
      "recipe.yaml:2: unknown key 'include_shortcut' in 'clat'; did you mean 'include_shortcuts'?"
    ),
    ("clat: {unit: blocks}", "recipe.yaml:1: clat.unit: expected layer | block, found 'blocks'"),
    (
      "clat: {include_linear: some}",
      "recipe.yaml:1: clat.include_linear: expected true or false, found 'some'"
    ),
    (
      "clat: {candidates: {a: 1}}",
      "recipe.yaml:1: clat.candidates: expected a list of text, found a section"
    ),
    (
      "clat: {candidates: [conv1], unit: block}",
      "recipe.yaml: clat.candidates: names stand instead of unit, include_shortcuts and "
        + "include_linear"
    ),
    (
      "clat: {batch_norm: on}",
      "recipe.yaml:1: clat.batch_norm: expected train | eval, found 'on'"
    ),
    (
      "clat: {ce: bass}",
      "recipe.yaml:1: clat.ce: expected clean | adversarial | both | base, found 'bass'"
    ),
    (
      "base: {method: none}\nclat: {ce: base}",
      "recipe.yaml: clat.ce: base needs a base.method other than none; with base.epochs 0 it "
        + "trains nothing before CLAT"
    ),
    ("clat:\n  layers: 3", "recipe.yaml:2: clat.layers: expected a list of text, found '3'"),
    ("optimizer: {lr: [1]}", "recipe.yaml:1: optimizer.lr: expected a number, found a list"),
    ("optimizer: {lr: nan}", "recipe.yaml:1: optimizer.lr: expected a number, found 'nan'"),
    ("seed: 1\nseed: 2", "recipe.yaml:1: the section that begins here has key 'seed' twice"),
    (
      "base: {epochs: 0}\nclat: {epochs: 0}",
      "recipe.yaml: base.epochs: with clat.epochs 0 there is nothing to train"
    ),
    (
      "clat: {selection: fixed}", "recipe.yaml: clat.layers: selection fixed needs a list of layers"
    ),
    (
      "model: {name: resnet81}",
      "recipe.yaml: model.name: unknown model 'resnet81'; did you mean 'resnet18'?"
    ),
    (
      "optimizer: {schedule: piecewise}",
      "recipe.yaml: optimizer.milestones: piecewise needs the epochs at which the rate falls"
    ),
    (
      "clat: {lambda: -1}",
      "recipe.yaml:1: clat.lambda: expected a number of at least 0, or auto, found '-1'"
    ),
  ]) func badRecipesNamePlaceAndExpectation(_ text: String, _ expected: String) {
    #expect(message { _ = try Recipe.parse(text) } == expected)
  }

  @Test func brokenYAMLIsOneLine() {
    let text = message { _ = try Recipe.parse("attack: {eps: 1") }
    #expect(text.hasPrefix("recipe.yaml:") && text.contains("not YAML"))
    #expect(!text.contains("\n"))
  }
}
