import IR
import Kernels

/// The operands of what a convolution does with its sums, and the argument made of their addresses.
struct ConvolutionEpilogue {
  /// The result first, then what the epilogue reads and writes besides.
  let operands: [CallOperand]
  private let parts: Epilogue
  private let channels: Int
  private let base: Int
  private var bias, residual, mask, bits: Int?

  /// - Parameters:
  ///   - channels: of the result.
  ///   - base: the number of operands that the call has before these.
  init(_ lowering: NodeLowering, channels: Int, base: Int) throws {
    let parts = try Epilogue.of(lowering.attributes)
    var operands = [lowering.result(0).strided]
    func add(_ operand: CallOperand?) -> Int? {
      guard let operand else { return nil }
      operands.append(operand)
      return base + operands.count - 1
    }
    func read(_ part: Epilogue, sliced: Bool) -> CallOperand? {
      parts.operandIndex(part, base: 2).map { lowering.operand($0, sliced: sliced) }
    }
    bias = add(read(.shift, sliced: false))
    let added = parts.contains(.sum) ? Epilogue.sum : .residual
    residual = add(read(added, sliced: true)?.strided)
    if let operand = parts.operandIndex(added, base: 2) {
      lowering.mayOverwrite(operand: operand, result: 0)
    }
    mask = add(read(.mask, sliced: true))
    bits = add(parts.contains(.bits) ? lowering.result(lowering.node.results.count - 1) : nil)
    self.operands = operands
    self.parts = parts
    self.channels = channels
    self.base = base
  }

  func argument(_ at: Addresses) -> clat_epilogue {
    clat_epilogue(
      channels: Int32(channels), y_stride: at.stride(base), residual_stride: at.stride(residual),
      y: at.f32(base), bias: at.f32(bias), residual: at.f32(residual),
      relu: parts.contains(.relu) ? 1 : 0, relu_bits: at.u8(bits), mask_bits: at.u8(mask),
      residual_last: parts.contains(.sum) ? 1 : 0)
  }
}
