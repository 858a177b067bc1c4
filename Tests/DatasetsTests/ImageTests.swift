import CImages
import Foundation
import IR
import Storage
import TestSupport
import Testing

@testable import Datasets

/// The folder of golden images; `Tests/Golden/images.py` makes it with Pillow.
let goldenImages = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().appendingPathComponent("Golden/images").path

@Suite struct ImageTests {
  static let names = [
    "alpha.png", "bits.png", "cmyk.jpg", "colour.jpg", "colour.png", "deep.png", "full.jpg",
    "grey.jpg", "grey.png", "palette.png", "progressive.jpg",
  ]
  let expected: Safetensors
  let workspace = ImageWorkspace()

  init() throws { expected = try Safetensors.read(goldenImages + "/expected.safetensors") }

  private func open(_ name: String) throws {
    try ImageFile.read(goldenImages + "/" + name, into: workspace)
    try ImageFile.decode(workspace, name, channels: 3)
  }

  private var decoded: [UInt8] {
    let picture = workspace.picture
    return Array(
      UnsafeBufferPointer(
        start: picture.pixels,
        count: Int(picture.width) * Int(picture.height) * Int(picture.channels)))
  }

  /// The largest difference from Pillow.
  private func difference(_ bytes: [UInt8], _ name: String) throws -> Int {
    let golden = try #require(expected[name])
    try #require(golden.bytes.count == bytes.count)
    return zip(bytes, golden.bytes).map { abs(Int($0) - Int($1)) }.max() ?? 0
  }

  @Test(arguments: names) func decodesAsPillowDoes(_ name: String) throws {
    try open(name)
    #expect(try difference(decoded, name) <= (name.hasSuffix("jpg") ? 2 : 0))
  }

  /// The same bytes as crop and resize of Pillow, down and up.
  @Test(arguments: names) func resamplesAsPillowDoes(_ name: String) throws {
    try open(name)
    let limit = name.hasSuffix("jpg") ? 2 : 0
    for side in [7, 16, 50] {
      let box = RegionDraw.Box(left: 5, top: 3, width: 23, height: 18)
        .scaled(to: ImageShape(height: side, width: side, channels: 3))
      var bytes: [UInt8] = []
      try workspace.withResampled(workspace.picture, box) {
        bytes = Array(UnsafeBufferPointer(start: $0, count: side * side * 3))
      }
      #expect(try difference(bytes, "\(name) crop \(side)") <= limit)
    }
  }

  /// torchvision's Resize(20) and CenterCrop(16).
  @Test(arguments: names) func cutsTheMiddleAsTorchvisionDoes(_ name: String) throws {
    let files = ImageFiles(
      shape: ImageShape(height: 16, width: 16, channels: 3), resize: 20, files: [(0, name)],
      folders: [goldenImages])
    var bytes: [UInt8] = []
    try files.withImage(0, nil, workspace) {
      bytes = Array(UnsafeBufferPointer(start: $0, count: 16 * 16 * 3))
    }
    #expect(try difference(bytes, "\(name) middle") <= (name.hasSuffix("jpg") ? 2 : 0))
  }

  /// A JPEG decoded at half its size is close to one decoded whole and resampled.
  @Test func reducedDecodingIsClose() throws {
    func image(reduction: Int) throws -> [UInt8] {
      try ImageFile.read(goldenImages + "/full.jpg", into: workspace)
      try ImageFile.decode(workspace, "full.jpg", channels: 3, reduction: reduction)
      let picture = workspace.picture
      #expect(picture.width == (37 + reduction - 1) / reduction)
      let box = RegionDraw.Box(
        left: 0, top: 0, width: Int(picture.width), height: Int(picture.height)
      ).scaled(to: ImageShape(height: 7, width: 9, channels: 3))
      var bytes: [UInt8] = []
      try workspace.withResampled(picture, box) {
        bytes = Array(UnsafeBufferPointer(start: $0, count: 7 * 9 * 3))
      }
      return bytes
    }
    let pairs = try zip(image(reduction: 1), image(reduction: 2))
    let mean = pairs.reduce(0) { $0 + abs(Int($1.0) - Int($1.1)) } / (7 * 9 * 3)
    #expect(mean <= 8)
  }

  /// Cut and damaged files give one line or an image of the promised size, and end quickly.
  @Test(arguments: names) func damageNeverCrashes(_ name: String) throws {
    let good = [UInt8](try Data(contentsOf: URL(fileURLWithPath: goldenImages + "/" + name)))
    var random = Mutations(seed: 1)
    var refused = 0
    for _ in 0..<400 {
      workspace.file = random.damaged(good)
      do {
        let size = try ImageFile.inspect(workspace, "f")
        try ImageFile.decode(workspace, "f", channels: 3)
        #expect(workspace.picture.width == size.width && workspace.picture.height == size.height)
      } catch {
        refused += 1
        let text = String(describing: error)
        #expect(text.hasPrefix("f: ") && !text.contains("\n"))
      }
    }
    #expect(refused > 100)
    for count in [0, 1, 10, good.count / 2, good.count - 20] {
      workspace.file = Array(good.prefix(count))
      #expect(throws: DatasetError.self) {
        try ImageFile.decode(workspace, "f", channels: 3)
      }
    }
  }

  @Test func forgedExtentsTakeNoMemory() throws {
    var png = [UInt8](try Data(contentsOf: URL(fileURLWithPath: goldenImages + "/grey.png")))
    // 65000 x 65000; the checksum of the header is wrong as well.
    for place in [18, 22] { png.replaceSubrange(place..<place + 2, with: [0xfd, 0xe8]) }
    workspace.file = png
    #expect(throws: DatasetError.self) { try ImageFile.decode(workspace, "f", channels: 3) }
    var jpeg = [UInt8](try Data(contentsOf: URL(fileURLWithPath: goldenImages + "/grey.jpg")))
    let frame = try #require(
      jpeg.indices.dropLast().first { jpeg[$0] == 0xff && jpeg[$0 + 1] == 0xc0 })
    jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0xfd, 0xe8, 0xfd, 0xe8])
    workspace.file = jpeg
    #expect(throws: DatasetError.self) { try ImageFile.decode(workspace, "f", channels: 3) }
    #expect(workspace.picture.capacity < 1 << 20)
  }

  /// Boxes lie in the picture, and areas and ratios in their ranges.
  @Test func regionsAreDrawnByKey() {
    let stream = RandomStream(seed: 4, epoch: 2, purpose: .augmentation)
    var areas: [Double] = []
    for id in 0..<500 {
      let draw = RegionDraw(leastArea: 0.2, stream: stream, id: id)
      let box = draw.box(in: (100, 80))
      #expect(box.left >= 0 && box.left + box.width <= 100 && box.top + box.height <= 80)
      let ratio = Double(box.width) / Double(box.height)
      #expect((0.72...1.39).contains(ratio))
      areas.append(Double(box.width * box.height) / 8000)
      #expect(draw.box(in: (100, 80)) == box)
    }
    #expect(areas.allSatisfy { $0 > 0.18 } && Set(areas).count > 300)
    let narrow = RegionDraw(leastArea: 1, stream: stream, id: 0).box(in: (10, 100))
    #expect(narrow == RegionDraw.Box(left: 0, top: 43, width: 10, height: 13))
  }
}
