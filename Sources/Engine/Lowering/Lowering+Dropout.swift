import IR
import Kernels

extension LoweringRules {
  static let dropout: [String: LoweringRule] = [
    "dropout": { lowering in
      let type = lowering.operandTypes[0]
      let rate = Float(lowering.attributes.float("rate"))
      let purpose = RandomStream.Purpose.dropout(layer: lowering.attributes.int("layer"))
      lowering.call(
        "dropout", units: type.shape[0],
        [
          lowering.operand(0), lowering.operand(1), lowering.operand(2, sliced: false),
          lowering.result(0),
        ]
      ) { at in
        ArgumentBlock(
          clat_dropout_args(
            images: Int32(type.shape[0]), purpose: Int32(bitPattern: purpose),
            elements: Int64(type.count / type.shape[0]), rate: rate,
            scale: 1 / (1 - rate), x: at.f32(0), ids: at.i32(1), stream: at.i32(2), y: at.f32(3)))
      }
    }
  ]
}
