import CImages
import Foundation

/// Folders of JPEG and PNG files, one for each class: `train/CLASS/*.jpeg` and `val/CLASS/*.jpeg`
/// as ImageNet and Imagenette have them, or the classes alone.
///
/// Classes are numbered by their sorted names. Images are read in turn from all classes, in
/// proportion to their sizes, so that a first or last part of a split holds every class; within a
/// class they stand sorted by name.
struct ImageFolder {
  /// A folder with classes in it.
  struct Tree {
    let path: String
    let classes: [String]
  }

  let home: String
  /// The folder of a split; the same for both where the classes have no split above them.
  let trees: [Split: Tree]

  private static let folders: [Split: [String]] = [
    .train: ["train"], .test: ["val", "test", "validation", "valid"],
  ]

  /// nil where `home` is no such folder.
  init?(_ home: String) {
    self.home = home
    var trees: [Split: Tree] = [:]
    for split in Split.allCases {
      trees[split] =
        (Self.folders[split] ?? []).lazy
        .compactMap { Self.tree(home + "/" + $0) }.first
    }
    if trees.isEmpty, let tree = Self.tree(home) {
      trees = [.train: tree, .test: tree]
    }
    guard !trees.isEmpty else { return nil }
    self.trees = trees
  }

  private static func tree(_ path: String) -> Tree? {
    let classes = names(in: path).filter { names(in: path + "/" + $0).contains(where: isImage) }
    return classes.isEmpty ? nil : Tree(path: path, classes: classes)
  }

  /// Sorted by their bytes, as every machine sorts them; hidden files are left out.
  static func names(in folder: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { !$0.hasPrefix(".") }
      .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  private static let extensions = [".jpg", ".jpeg", ".png"]

  static func isImage(_ name: String) -> Bool {
    let lower = name.lowercased()
    return extensions.contains(where: lower.hasSuffix)
  }

  var isWhole: Bool { trees[.train]?.path == trees[.test]?.path }
}

extension ImageFolder {
  func load(_ split: Split, _ options: LoadOptions) throws -> Dataset {
    guard let tree = trees[split] else {
      throw DatasetError.missing(
        path: home + "/" + (Self.folders[split]?.first ?? ""),
        expected: "the \(split.rawValue) split: a folder of images for each class")
    }
    let classes = (trees[.train] ?? tree).classes
    if let odd = tree.classes.first(where: { !classes.contains($0) }) {
      throw DatasetError.damaged(
        file: tree.path + "/" + odd, reason: "a class that \(trees[.train]?.path ?? "") has not")
    }
    let form = try form(options)
    var files = try Self.files(of: tree, classes)
    var notes = isWhole ? ["\(home) has no split: all its images, whatever was asked for"] : []
    if options.damaged == .skip {
      let damage = Self.damage(
        files.map { "\(tree.path)/\(classes[Int($0.folder)])/\($0.name)" })
      if let first = damage.min(by: { $0.key < $1.key })?.value {
        notes.append("\(damage.count) damaged images were left out, the first: \(first)")
        files = files.enumerated().filter { damage[$0.offset] == nil }.map(\.element)
      }
    }
    let images = ImageFiles(
      shape: form.shape, resize: form.resize, files: files,
      folders: classes.map { tree.path + "/" + $0 })
    return try Dataset(
      name: URL(fileURLWithPath: home).standardizedFileURL.lastPathComponent, split: split,
      shape: form.shape, images: images, labels: files.map(\.folder), classes: names(of: classes),
      notes: notes, augmentation: form.isOwn && form.shape.width <= 64 ? .cifar : .imagenet)
  }

  /// The images of all classes in turn: the j-th of n stands where (j + 1/2) / n says.
  private static func files(
    of tree: Tree, _ classes: [String]
  ) throws -> [(folder: Int32, name: String)] {
    var places: [(share: Double, folder: Int32, name: String)] = []
    for (label, name) in classes.enumerated() where tree.classes.contains(name) {
      let files = names(in: tree.path + "/" + name).filter(isImage)
      for (index, file) in files.enumerated() {
        places.append(((Double(index) + 0.5) / Double(files.count), Int32(label), file))
      }
    }
    places.sort { ($0.share, $0.folder) < ($1.share, $1.folder) }
    return places.map { ($0.folder, $0.name) }
  }

  /// What images become.
  private struct Form {
    var shape: ImageShape
    var resize: Int
    /// Whether that is the files' own extent.
    var isOwn: Bool
  }

  /// The first image of every class decides what the options leave open: images of one square size
  /// keep it, others become 224x224; where all are grey, so is the result.
  private func form(_ options: LoadOptions) throws -> Form {
    guard let tree = trees[.train] ?? trees[.test] else { throw DatasetError.empty(file: home) }
    let workspace = ImageWorkspace()
    let samples = try tree.classes.map { name in
      let folder = tree.path + "/" + name
      let path = folder + "/" + (Self.names(in: folder).first(where: Self.isImage) ?? "")
      try ImageFile.read(path, into: workspace)
      return try ImageFile.inspect(workspace, path)
    }
    let first = samples[0]
    let isEven =
      first.width == first.height
      && samples.allSatisfy { ($0.width, $0.height) == (first.width, first.height) }
    let size = options.imageSize ?? (isEven ? first.width : 224)
    let isOwn = isEven && size == first.width
    let resize = options.resize ?? (isOwn ? size : (size * 256 + 112) / 224)
    guard resize >= size else {
      throw DatasetError.invalid(
        "resize \(resize): expected at least the image size, which is \(size)")
    }
    let channels = samples.allSatisfy { $0.channels <= 2 } ? 1 : 3
    return Form(
      shape: ImageShape(height: size, width: size, channels: channels), resize: resize,
      isOwn: isOwn)
  }

  /// The classes' names: those that `classes.txt` gives after the folder's name, else the folders'.
  private func names(of classes: [String]) -> [String] {
    let text = (try? String(contentsOfFile: home + "/classes.txt", encoding: .utf8)) ?? ""
    var names: [String: String] = [:]
    for line in text.split(whereSeparator: \.isNewline) {
      let parts = line.split(separator: " ", maxSplits: 1)
      if parts.count == 2 { names[String(parts[0])] = String(parts[1]) }
    }
    return classes.map { names[$0] ?? $0 }
  }

  /// What is wrong with which of these files, by place; all are decoded, by several threads.
  private static func damage(_ paths: [String]) -> [Int: String] {
    let found = Locked([Int: String]())
    BackgroundThreads.forEach(paths.count) { index, workspace in
      do {
        try ImageFile.read(paths[index], into: workspace)
        try ImageFile.decode(workspace, paths[index], channels: 3)
      } catch {
        found.with { $0[index] = "\(error)" }
      }
    }
    return found.with { $0 }
  }
}
