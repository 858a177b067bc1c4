import IR
import Kernels

extension LoweringRules {
  static let losses: [String: LoweringRule] = [
    "cross_entropy": { lowering in
      let (images, classes) = logits(lowering)
      lowering.call(
        "cross_entropy", units: Int(images),
        [lowering.operand(0), lowering.operand(1), lowering.result(0)]
      ) { at in
        ArgumentBlock(
          clat_cross_entropy_args(
            images: images, classes: classes, logits: at.f32(0), labels: at.i32(1),
            loss: at.f32(2)))
      }
    },
    "cross_entropy_grad": { lowering in
      let (images, classes) = logits(lowering)
      lowering.call(
        "cross_entropy_grad", units: Int(images),
        [lowering.operand(0), lowering.operand(1), lowering.operand(2), lowering.result(0)]
      ) { at in
        ArgumentBlock(
          clat_cross_entropy_grad_args(
            images: images, classes: classes, logits: at.f32(0), dloss: at.f32(2),
            labels: at.i32(1), dlogits: at.f32(3)))
      }
    },
    "correct": { lowering in
      let (images, classes) = logits(lowering)
      lowering.call(
        "correct", units: Int(images),
        [lowering.operand(0), lowering.operand(1), lowering.result(0)]
      ) { at in
        ArgumentBlock(
          clat_correct_args(
            images: images, classes: classes, logits: at.f32(0), labels: at.i32(1),
            correct: at.i32(2)))
      }
    },
    "mean": { lowering in
      let count = Int32(lowering.operandTypes[0].count)
      lowering.call(
        "mean", units: 1,
        [lowering.operand(0, sliced: false), lowering.result(0, sliced: false)]
      ) { at in
        ArgumentBlock(clat_mean_args(count: count, x: at.f32(0), y: at.f32(1)))
      }
    },
    "broadcast": { lowering in
      let count = lowering.attributes.int("count")
      let factor = Float(lowering.attributes.float("factor"))
      lowering.call(
        "broadcast", units: count, [lowering.operand(0, sliced: false), lowering.result(0)]
      ) { at in
        ArgumentBlock(
          clat_broadcast_args(images: Int32(count), factor: factor, x: at.f32(0), y: at.f32(1)))
      }
    },
    "feature_distance": { lowering in
      let (images, elements) = features(lowering)
      let eps = Float(lowering.attributes.float("eps"))
      lowering.call(
        "feature_distance", units: Int(images),
        [lowering.operand(0), lowering.operand(1), lowering.result(0)]
      ) { at in
        ArgumentBlock(
          clat_feature_distance_args(
            images: images, elements: elements, eps: eps, a: at.f32(0), b: at.f32(1),
            distance: at.f32(2)))
      }
    },
    "feature_distance_grad": { lowering in
      let (images, elements) = features(lowering)
      lowering.call(
        "feature_distance_grad", units: Int(images),
        (0..<4).map { lowering.operand($0) } + [lowering.result(0)]
      ) { at in
        ArgumentBlock(
          clat_feature_distance_grad_args(
            images: images, elements: elements, a: at.f32(0), b: at.f32(1), distance: at.f32(2),
            dy: at.f32(3), da: at.f32(4), db: nil))
      }
    },
  ]

  private static func logits(_ lowering: NodeLowering) -> (images: Int32, classes: Int32) {
    let shape = lowering.operandTypes[0].shape
    return (Int32(shape[0]), Int32(shape[1]))
  }

  private static func features(_ lowering: NodeLowering) -> (images: Int32, elements: Int32) {
    let type = lowering.operandTypes[0]
    return (Int32(type.shape[0]), Int32(type.count / type.shape[0]))
  }
}
