import ArgumentParser
import Datasets
import Foundation
import Storage

/// `clat datasets`: the data sets that can be had, and what one holds.
struct DatasetsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "datasets", abstract: "List, fetch and look at data sets.",
    discussion: """
      EXAMPLES
        clat datasets list
        clat datasets fetch cifar10
        clat datasets show --data data/cifar-10-batches-bin
        clat datasets show --data photos --image-size 64 --out photos.png
      """,
    subcommands: [ListDatasets.self, FetchDataset.self, ShowDataset.self],
    defaultSubcommand: ListDatasets.self)
}

struct ListDatasets: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "List the data sets that `clat datasets fetch` knows.",
    discussion: """
      EXAMPLES
        clat datasets list
        clat datasets list --json
      """)

  @Flag(help: "Print JSON: a list of {name, about, address, files, folder}.")
  var json = false

  func run() throws {
    guard json else {
      var table = Table("name", "what it is")
      table.add("digits", "UCI digits: 1,797 handwritten digits of 8x8, embedded, nothing to fetch")
      for archive in Archive.all { table.add(archive.name, archive.about) }
      return try Output.write(table.text)
    }
    let list = Archive.all.map { archive -> JSON in
      [
        "name": .string(archive.name), "about": .string(archive.about),
        "address": .string(archive.address), "folder": .string(archive.folder),
        "files": .array(archive.files.map { ["name": .string($0.name), "md5": .string($0.md5)] }),
      ]
    }
    try Output.json(.array(list))
  }
}

struct FetchDataset: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fetch", abstract: "Download a data set, check and unpack it.",
    discussion: """
      Uses curl, md5sum and tar. An interrupted download goes on where it stopped; files that are \
      there already and have the right checksum are not downloaded again. Without a network the \
      error says what to get and where to put it.

      EXAMPLES
        clat datasets fetch cifar10
        clat datasets fetch imagenette-160 --to /data
        clat datasets fetch mnist --mirror http://localhost:8000/
      """)

  @Argument(help: ArgumentHelp("One of \(Archive.all.map(\.name).joined(separator: ", "))."))
  var name: String

  @Option(help: "The folder that gets the data's folder.")
  var to = "data"

  @Option(help: "The address of a folder with the published files, instead of the publisher's.")
  var mirror: String?

  func run() throws {
    guard let archive = Archive.all.first(where: { $0.name == name }) else {
      let known = Archive.all.map(\.name).joined(separator: ", ")
      throw Failure.usage("'\(name)': no data set to fetch; there are: \(known)")
    }
    var fetch = Fetch(archive, into: to, mirror: mirror)
    fetch.onStep = { Output.note("clat: \($0)") }
    do {
      try fetch.run()
    } catch let error as FetchError {
      throw Failure(error.isOutput ? .cannotWrite : .missingInput, error.description)
    }
    for split in Split.allCases {
      let count = try Dataset.load(fetch.destination, split: split).count
      let expected = archive.counts[split] ?? count
      guard count == expected else {
        throw Failure.badData(
          "\(fetch.destination): \(count) \(split.rawValue) images, expected \(expected)")
      }
    }
    try Output.line(fetch.destination)
  }
}

struct ShowDataset: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Read a data set, count its classes, and draw it.",
    discussion: """
      Reads every image of both splits, so that anything damaged is found; prints the images of \
      each class, and the mean and standard deviation of each channel, which recipes take as \
      model.mean and model.std. --out draws the first images of every class, a class a row.

      EXAMPLES
        clat datasets show --data data/cifar-10-batches-bin --split test
        clat datasets show --data generated.npz --split train --out generated.png
      """)

  @OptionGroup var source: DataOptions

  @Option(help: "train or test; both unless given.")
  var split: Split?

  @Option(help: "Draw the images of the split, or of the training split, into this PNG file.")
  var out: String?

  @Option(help: "Images in a row of the drawing.")
  var columns = 10

  @Flag(help: "Print JSON: a list of {split, count, shape, classes, mean, std, notes}.")
  var json = false

  func run() throws {
    guard (1...1000).contains(columns) else {
      throw Failure.usage("--columns \(columns): expected 1...1000")
    }
    var described: [JSON] = []
    for split in split.map({ [$0] }) ?? Split.allCases {
      let dataset = try source.load(split)
      let statistics = try DatasetStatistics(dataset)
      if json { described.append(Self.json(dataset, statistics)) }
      if !json { try Output.write(Self.text(dataset, statistics)) }
    }
    if json { try Output.json(.array(described)) }
    guard let out else { return }
    try ContactSheet(source.load(split ?? .train), columns: columns).write(to: out)
    Output.note("clat: \(out): a row for each class, in the order of their labels")
  }

  private static func text(_ dataset: Dataset, _ statistics: DatasetStatistics) -> String {
    func list(_ values: [Double]) -> String {
      values.map { $0.fixed(4) }.joined(separator: ",")
    }
    let most = Double(max(1, statistics.counts.max() ?? 1))
    var table = Table("label", "class", "images", "")
    for (label, count) in statistics.counts.enumerated() {
      let bar = String(repeating: "#", count: Int((40 * Double(count) / most).rounded()))
      table.add("\(label)", dataset.classes[label], "\(count)", bar)
    }
    return "\(dataset.name) \(dataset.split.rawValue): \(dataset.count) images of "
      + "\(dataset.shape), \(dataset.classes.count) classes\n" + table.text
      + "mean \(list(statistics.mean))  std \(list(statistics.deviation))\n"
      + dataset.notes.map { "note: \($0)\n" }.joined() + "\n"
  }

  private static func json(_ dataset: Dataset, _ statistics: DatasetStatistics) -> JSON {
    let shape = dataset.shape
    return [
      "name": .string(dataset.name), "split": .string(dataset.split.rawValue),
      "count": .int(dataset.count),
      "shape": .array([shape.height, shape.width, shape.channels].map(JSON.int)),
      "classes": .array(
        zip(dataset.classes, statistics.counts).map {
          ["name": .string($0), "images": .int($1)]
        }),
      "mean": .array(statistics.mean.map(JSON.double)),
      "std": .array(statistics.deviation.map(JSON.double)),
      "notes": .array(dataset.notes.map(JSON.string)),
    ]
  }
}
