import Foundation
import Storage

/// The binary layouts of CIFAR-10 and CIFAR-100 (Krizhevsky 2009): labels, then three 32x32 planes.
enum CIFAR: String {
  case cifar10 = "cifar-10"
  case cifar100 = "cifar-100"

  static let shape = ImageShape(height: 32, width: 32, channels: 3)

  /// The label bytes in front of a record's pixels, in file order; the last one is the class.
  var labelFields: [(name: String, range: ClosedRange<Int>)] {
    switch self {
    case .cifar10: [("label", 0...9)]
    case .cifar100: [("coarse label", 0...19), ("fine label", 0...99)]
    }
  }

  var recordBytes: Int { labelFields.count + Self.shape.count }

  /// A folder's file names, and the records that each official file has.
  struct Layout {
    let kind: CIFAR
    let files: [Split: [String]]
    let officialRecords: [Split: Int]

    var allFiles: [String] { Split.allCases.flatMap { files[$0] ?? [] } }
  }

  static let layouts = [
    Layout(
      kind: .cifar10,
      files: [.train: (1...5).map { "data_batch_\($0).bin" }, .test: ["test_batch.bin"]],
      officialRecords: [.train: 10_000, .test: 10_000]),
    Layout(
      kind: .cifar100, files: [.train: ["train.bin"], .test: ["test.bin"]],
      officialRecords: [.train: 50_000, .test: 10_000]),
    Layout(
      kind: .cifar100, files: [.train: ["train_5000.bin"], .test: ["test_1000.bin"]],
      officialRecords: [.train: 50_000, .test: 10_000]),
  ]

  /// One split of the data set in the folder `home`.
  static func load(home: String, layout: Layout, split: Split) throws -> Dataset {
    let files = layout.files[split] ?? []
    let official = layout.officialRecords[split] ?? 0
    var records = Records()
    var notes: [String] = []
    for file in files {
      let path = home + "/" + file
      guard FileManager.default.fileExists(atPath: path) else {
        throw DatasetError.missing(
          path: path, expected: "the \(split.rawValue) split of \(layout.kind.rawValue)")
      }
      let before = records.labels.count
      try layout.kind.read(path, into: &records, limit: official * layout.kind.recordBytes)
      let found = records.labels.count - before
      if found != official {
        notes.append(
          "\(file) holds \(found) records, the official file \(official): not the official split, "
            + "not comparable with published results")
      }
    }
    notes += jpegNotes(home: home, files: files)
    return try layout.kind.dataset(records, split: split, home: home, notes: notes)
  }

  /// All records of one file, whose kind is told by its name or else by its size.
  static func load(file: String, split: Split) throws -> Dataset {
    let name = (file as NSString).lastPathComponent
    let bytes = try size(of: file)
    let named = layouts.first { $0.allFiles.contains(name) }?.kind
    let fitting = [CIFAR.cifar10, .cifar100].first { bytes % $0.recordBytes == 0 }
    let kind = named ?? fitting ?? .cifar10
    var records = Records()
    let memory = Int(clamping: ProcessInfo.processInfo.physicalMemory / 2)
    try kind.read(file, into: &records, limit: memory)
    let home = file.parentFolder
    return try kind.dataset(
      records, split: split, home: home,
      notes: ["the single file \(name), whatever the split asked for"]
        + jpegNotes(home: home, files: [name]))
  }

  private func dataset(
    _ records: Records, split: Split, home: String, notes: [String]
  ) throws -> Dataset {
    try Dataset(
      name: rawValue, split: split, shape: Self.shape, pixels: records.pixels,
      labels: records.labels, classes: classNames(home: home), notes: notes)
  }
}

extension CIFAR {
  static func layout(in folder: String) -> Layout? {
    layouts.first { layout in
      layout.allFiles.contains { FileManager.default.fileExists(atPath: folder + "/" + $0) }
    }
  }

  private func classNames(home: String) -> [String] {
    if self == .cifar10 {
      return [
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
      ]
    }
    let text = try? String(contentsOfFile: home + "/fine_label_names.txt", encoding: .utf8)
    let names = (text ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
    return names.count == 100 ? names : (0..<100).map { "class \($0)" }
  }

  /// A note for each file that `jpeg_filled_records.json` ({file: [record]}) says is not lossless.
  private static func jpegNotes(home: String, files: [String]) -> [String] {
    let sidecar = home + "/jpeg_filled_records.json"
    guard FileManager.default.fileExists(atPath: sidecar) else { return [] }
    guard let data = FileManager.default.contents(atPath: sidecar),
      let filled = try? JSONDecoder().decode([String: [Int]].self, from: data)
    else {
      return ["jpeg_filled_records.json is there but cannot be read: {file: [record]} expected"]
    }
    let count = files.reduce(0) { $0 + (filled[$1]?.count ?? 0) }
    return count == 0 ? [] : ["\(count) images were decoded from JPEG copies and are not exact"]
  }
}
