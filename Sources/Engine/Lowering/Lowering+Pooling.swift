import IR
import Kernels

extension LoweringRules {
  static let pooling: [String: LoweringRule] = [
    "max_pool": { lowering in
      let shape = try PoolingShape.forward(lowering.types)
      pool(
        lowering, "max_pool", shape, x: lowering.operand(0), y: lowering.result(0),
        index: lowering.result(1))
    },
    "max_pool_grad": { lowering in
      let shape = try PoolingShape.backward(lowering.types)
      pool(
        lowering, "max_pool_grad", shape, x: lowering.operand(0), y: lowering.result(0),
        index: lowering.operand(1))
    },
    "avg_pool": { lowering in
      let shape = try PoolingShape.forward(lowering.types)
      pool(lowering, "avg_pool", shape, x: lowering.operand(0), y: lowering.result(0))
    },
    "avg_pool_grad": { lowering in
      let shape = try PoolingShape.backward(lowering.types)
      pool(lowering, "avg_pool_grad", shape, x: lowering.operand(0), y: lowering.result(0))
    },
    "global_avg_pool": { lowering in
      let shape = try globalShape(lowering.operandTypes[0])
      pool(lowering, "avg_pool", shape, x: lowering.operand(0), y: lowering.result(0))
    },
    "global_avg_pool_grad": { lowering in
      let shape = try globalShape(lowering.resultTypes[0])
      pool(lowering, "avg_pool_grad", shape, x: lowering.operand(0), y: lowering.result(0))
    },
  ]

  /// One window over the whole map.
  private static func globalShape(_ map: TensorType) throws -> PoolingShape {
    let window: Attribute = .ints([map.shape[1], map.shape[2]])
    return try PoolingShape.forward(
      OpTypes(
        operands: [map], attributes: ["kernel": window, "stride": window, "pad": .ints([0, 0])]))
  }

  /// `x` and `y` as the kernel reads and writes them: backward, x is the gradient of the output.
  private static func pool(
    _ lowering: NodeLowering, _ kernel: String, _ shape: PoolingShape, x: CallOperand,
    y: CallOperand, index: CallOperand? = nil
  ) {
    let (input, output) = kernel.hasSuffix("_grad") ? (1, 0) : (0, 1)
    let operands = [x.strided, y.strided] + (index.map { [$0] } ?? [])
    let skipsPad = lowering.types.attributes["count_include_pad"] == .bool(false)
    lowering.call(kernel, units: shape.images, operands) { at in
      ArgumentBlock(
        clat_pool_args(
          images: Int32(shape.images), in_height: Int32(shape.inHeight),
          in_width: Int32(shape.inWidth), out_height: Int32(shape.outHeight),
          out_width: Int32(shape.outWidth), channels: Int32(shape.channels),
          kernel_height: Int32(shape.kernelHeight), kernel_width: Int32(shape.kernelWidth),
          stride_height: Int32(shape.strideHeight), stride_width: Int32(shape.strideWidth),
          pad_height: Int32(shape.padHeight), pad_width: Int32(shape.padWidth),
          x_stride: at.stride(input), y_stride: at.stride(output), skip_pad: skipsPad ? 1 : 0,
          x: at.f32(0), y: at.f32(1), index: at.i32(index == nil ? nil : 2)))
    }
  }
}
