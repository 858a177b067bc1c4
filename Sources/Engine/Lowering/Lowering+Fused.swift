import IR
import Kernels

extension LoweringRules {
  static let fused: [String: LoweringRule] = [
    "fused": { lowering in
      guard let region = lowering.attributes.region("body") else {
        throw IRError("fused has no body")
      }
      try lower(lowering, region)
    }
  ]

  /// A lone operation without a kernel of its own: a region of one.
  static func single(_ lowering: NodeLowering) throws {
    let builder = GraphBuilder(name: "region")
    let operands = try lowering.operandTypes.enumerated().map {
      try builder.input("\($0)", $1, .data)
    }
    let results = try builder.emit(lowering.node.op, operands, lowering.attributes)
    for (index, result) in results.enumerated() { builder.output("\(index)", result) }
    try lower(lowering, Region(builder.graph))
  }

  private static func lower(_ lowering: NodeLowering, _ region: Region) throws {
    let images = try RegionLayout(region).domain.shape[0]
    let (program, pixels) = try LaneProgram.plan(region)
    let table = try program.table()
    let count = lowering.node.operands.count
    let operands = program.roles.enumerated().map { index, role in
      let sliced = role != .channel
      return index < count
        ? lowering.operand(index, sliced: sliced)
        : lowering.result(index - count, sliced: sliced)
    }
    lowering.call("fused", units: images, lanes: program, operands) { at in
      ArgumentBlock(
        clat_fused_args(
          images: Int64(images), pixels: Int64(pixels), program: at.table(table),
          operands: at.list))
    }
  }
}
