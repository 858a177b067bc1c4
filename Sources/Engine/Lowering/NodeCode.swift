import IR
import Kernels

/// How an instruction touches an operand.
public enum Access: String, Sendable, CaseIterable {
  case `in`, out, `inout`

  var writes: Bool { self != .in }
}

/// What a kernel call operates on: a value of the graph, or memory of the node's own.
public enum OperandReference: Hashable, Sendable {
  case value(ValueID)
  case temporary(Int)
}

/// An operand of a kernel call.
public struct CallOperand {
  var reference: OperandReference
  var access: Access
  /// Whether a slice of the call's units touches only its own part of the operand.
  var sliced: Bool
  /// Whether the kernel is told the distance between pixels, so that the operand may be channels of
  /// a wider tensor.
  var isStrided = false

  /// Temporaries have no gaps between pixels.
  var isTemporary: Bool {
    if case .temporary = reference { return true }
    return false
  }

  /// The operand of a call whose slices each touch all of it, or any part.
  var whole: CallOperand {
    var operand = self
    operand.sliced = false
    return operand
  }

  var strided: CallOperand {
    var operand = self
    operand.isStrided = true
    return operand
  }
}

/// Channels that move between a tensor and a wider one, unless the first is placed inside the
/// second.
struct ChannelMove {
  var part, whole: ValueID
  /// The first channel of the part within the whole.
  var start: Int
}

/// One call of a kernel, before anything has an address.
public struct KernelCall {
  /// A row of kernels.def.
  var kernel: String
  var operands: [CallOperand]
  /// The number of units that are divided among threads.
  var units: Int
  /// Operations of the node, a convolution's counted as direct.
  var flops: Double
  /// Operations that the kernel really executes, where its algorithm needs another number.
  var executedFlops: Double? = nil
  /// The call does this and nothing else.
  var move: ChannelMove?
  /// What a call of the kernel `fused` computes.
  var lanes: LaneProgram?
  var arguments: (Addresses) -> ArgumentBlock
}

/// The kernel calls of one node.
public struct NodeCode {
  var calls: [KernelCall] = []
  /// Sizes in bytes of the node's temporaries.
  var temporaries: [Int] = []
  /// Results that are another view of an operand's memory.
  var aliases: [(result: ValueID, operand: ValueID)] = []
  /// Results that may be written over an operand nobody reads afterwards, beyond what the
  /// operation itself allows.
  var inPlace: [(result: ValueID, operand: ValueID)] = []
  /// Results whose contents are known now.
  var constants: [(result: ValueID, values: [Float])] = []
}

/// What a lowering rule sees: the node with its types, and where its calls go.
public final class NodeLowering {
  let node: Node
  let operandTypes: [TensorType]
  let resultTypes: [TensorType]
  private(set) var code = NodeCode()
  private let flops: Double

  init(_ node: Node, type: (ValueID) -> TensorType) throws {
    self.node = node
    operandTypes = node.operands.map(type)
    resultTypes = node.results.map(type)
    flops = try OpRegistry.definition(node.op)
      .cost(operandTypes, node.attributes, resultTypes).flops
  }

  var attributes: Attributes { node.attributes }
  var types: OpTypes { OpTypes(operands: operandTypes, attributes: node.attributes) }

  func operand(_ index: Int, _ access: Access = .in, sliced: Bool = true) -> CallOperand {
    CallOperand(reference: .value(node.operands[index]), access: access, sliced: sliced)
  }

  func result(_ index: Int, sliced: Bool = true) -> CallOperand {
    CallOperand(reference: .value(node.results[index]), access: .out, sliced: sliced)
  }

  func temporary(bytes: Int) -> OperandReference {
    code.temporaries.append(bytes)
    return .temporary(code.temporaries.count - 1)
  }

  /// Adds a call. The work of the node counts for the call marked `main`, or a `share` of it where
  /// there are several; `executing` says how many operations the kernel executes where that differs
  /// (Winograd's fewer, a transformation's own).
  func call(
    _ kernel: String, units: Int, main: Bool = true, share: Double = 1, executing: Double? = nil,
    move: ChannelMove? = nil, lanes: LaneProgram? = nil,
    _ operands: [CallOperand], _ arguments: @escaping (Addresses) -> ArgumentBlock
  ) {
    code.calls.append(
      KernelCall(
        kernel: kernel, operands: operands, units: units, flops: main ? flops * share : 0,
        executedFlops: executing, move: move, lanes: lanes, arguments: arguments))
  }

  func alias(result: Int, operand: Int) {
    code.aliases.append((node.results[result], node.operands[operand]))
  }

  func mayOverwrite(operand: Int, result: Int) {
    code.inPlace.append((node.results[result], node.operands[operand]))
  }

  func constant(result: Int, _ values: [Float]) {
    code.constants.append((node.results[result], values))
  }
}

/// The extents of a tensor as the element-wise kernels see it: first axis, axes between, last axis.
struct Extents {
  var images, pixels, channels: Int32

  /// - Parameter byChannel: a vector is one pixel with its channels, not as many images.
  init(_ type: TensorType, byChannel: Bool = false) {
    guard type.rank > 1 || byChannel else {
      (images, pixels, channels) = (Int32(type.count), 1, 1)
      return
    }
    images = Int32(type.rank > 1 ? type.shape[0] : 1)
    channels = Int32(type.channels)
    pixels = Int32(type.count / max(Int(images) * type.channels, 1))
  }

  var elements: Int32 { pixels * channels }
}

extension TensorType {
  /// Floats from one pixel to the next.
  var pixelStride: Int { Int(Extents(self).channels) }
}

extension CallOperand {
  static func read(_ reference: OperandReference, sliced: Bool) -> CallOperand {
    CallOperand(reference: reference, access: .in, sliced: sliced)
  }
  static func write(_ reference: OperandReference, sliced: Bool) -> CallOperand {
    CallOperand(reference: reference, access: .out, sliced: sliced)
  }
}
