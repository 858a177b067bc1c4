import IR
import Kernels

extension LoweringRules {
  /// Attack steps and the optimiser.
  static let attacks: [String: LoweringRule] = [
    "sign_step": { lowering in
      let type = lowering.operandTypes[0]
      let (eps, low, high) = box(lowering)
      let step = Float(lowering.attributes.float("step"))
      lowering.call(
        "sign_step", units: type.shape[0],
        (0..<3).map { lowering.operand($0) } + [lowering.result(0)]
      ) { at in
        ArgumentBlock(
          clat_sign_step_args(
            images: Int32(type.shape[0]), elements: Int32(type.count / type.shape[0]),
            step: step, eps: eps, low: low, high: high, x: at.f32(0), gradient: at.f32(1),
            clean: at.f32(2), y: at.f32(3)))
      }
    },
    "random_start": { lowering in
      let type = lowering.operandTypes[0]
      let (eps, low, high) = box(lowering)
      lowering.call(
        "random_start", units: type.shape[0],
        [
          lowering.operand(0), lowering.operand(1), lowering.operand(2, sliced: false),
          lowering.result(0),
        ]
      ) { at in
        ArgumentBlock(
          clat_random_start_args(
            images: Int32(type.shape[0]), elements: Int32(type.count / type.shape[0]), eps: eps,
            low: low, high: high, x: at.f32(0), ids: at.i32(1), stream: at.i32(2),
            y: at.f32(3)))
      }
    },
    "sgd": { lowering in
      let count = lowering.operandTypes[0].count
      let momentum = Float(lowering.attributes.float("momentum"))
      let decay = Float(lowering.attributes.float("weight_decay"))
      lowering.call(
        "sgd", units: (count + 1023) / 1024,
        (0..<4).map { lowering.operand($0, sliced: false) }
          + (0..<2).map { lowering.result($0, sliced: false) }
      ) { at in
        ArgumentBlock(
          clat_sgd_args(
            count: Int64(count), momentum: momentum, weight_decay: decay, lr: at.f32(3),
            w: at.f32(0), g: at.f32(1), m: at.f32(2), new_w: at.f32(4), new_m: at.f32(5)))
      }
    },
  ]

  private static func box(_ lowering: NodeLowering) -> (eps: Float, low: Float, high: Float) {
    let a = lowering.attributes
    return (Float(a.float("eps")), Float(a.float("low")), Float(a.float("high")))
  }
}

extension KernelCall {
  /// A plain copy of `bytes`.
  static func copy(_ source: OperandReference, to target: OperandReference, bytes: Int)
    -> KernelCall
  {
    KernelCall(
      kernel: "copy",
      operands: [.read(source, sliced: false), .write(target, sliced: false)],
      units: (bytes + 1023) / 1024, flops: 0
    ) { at in
      ArgumentBlock(clat_copy_args(bytes: Int64(bytes), x: at.raw(0), y: at.raw(1)))
    }
  }
}
