import Testing

@testable import Models

@Suite struct SpecTests {
  @Test func readsAndPrints() throws {
    let spec = try ModelSpec("wrn:width=1,depth=34")
    #expect(spec.name == "wrn" && spec.parameters == ["depth": "34", "width": "1"])
    #expect(spec.description == "wrn:depth=34,width=1")
    #expect(try ModelSpec(spec.description) == spec)
    #expect(try ModelSpec("resnet18").description == "resnet18")
    #expect(try makeModel("wrn-16-4").name == "wrn-16-4")
  }

  @Test(arguments: [
    ("resnet81", "unknown model 'resnet81'; did you mean 'resnet18'?"),
    ("resnet18:widht=16", "resnet18: unknown parameter 'widht'; did you mean 'width'?"),
    ("resnet18:width=none", "resnet18: width must be a whole number from 1 to 4096, is 'none'"),
    ("resnet18:width=0", "resnet18: width must be a whole number from 1 to 4096, is '0'"),
    ("resnet20:shortcut=C", "resnet20: shortcut must be A or B, is 'C'"),
    (
      "rawrn-70-16:depths=1/2",
      "rawrn-70-16: depths must be 3 whole numbers from 1 to 1000 like 30/31/10, is '1/2'"
    ),
    ("resnet18:width", "model 'resnet18:width': expected parameter=value, found 'width'"),
    (
      "resnet18:width=8,width=9",
      "model 'resnet18:width=8,width=9': parameter 'width' is given twice"
    ),
    ("wrn-34-10:width=2", "wrn-34-10: unknown parameter 'width'; it takes none"),
    ("wrn-35-1", "wrn: depth must be 6n + 4 (10, 16, 22, 28, 34, ...), is 35"),
    ("wrn-34-0", "wrn-34-0: depth must be from 10 to 1000, width from 1 to 4096"),
    ("", "unknown model ''; known: \(Model.names.joined(separator: ", "))"),
  ])
  func refuses(text: String, expected: String) {
    #expect(message { _ = try ModelSpec(text) } == expected)
  }

  @Test func refusesImagesThatDoNotFit() throws {
    let vgg = message { _ = try makeModel("vgg16", (8, 8, 1)) }
    #expect(vgg.hasPrefix("vgg16 does not fit images of 8x8x1: features.33: max_pool("))
    #expect(vgg.contains("the window is larger than the padded input f32[1,1,1,512]"))
    #expect(
      message { _ = try makeModel("resnet18", (0, 8, 1)) }
        == "resnet18: image height must be from 1 to 65536, is 0")
    #expect(
      message { _ = try makeModel("resnet18", classes: 1) }
        == "resnet18: needs at least 2 classes, got 1")
  }

  @Test func refusesNormalizationThatDoesNotFit() throws {
    let spec = try ModelSpec("small-cnn")
    func make(_ mean: [Double]?, _ std: [Double]?) -> String {
      message { _ = try Model(spec, imageShape: cifar, classes: 10, mean: mean, std: std) }
    }
    #expect(make([0.5], [0.5]).contains("images of 3 channels need as many means"))
    #expect(make([0.5, 0.5, 0.5], [1, 0, 1]).contains("standard deviations must be positive"))
    #expect(make([0.5, 0.5, 0.5], nil) == "small-cnn: mean and std must be given together")
  }
}
