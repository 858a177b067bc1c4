import CLLVM
import IR
import Kernels

/// Writes a lane program as an LLVM function with the calling convention of kernels.
struct LaneCompiler {
  private let program: LaneProgram
  private let b: LLVMBuilder
  private let operands: [LLVMBuilder.Value]
  private let pixels, scratch: LLVMBuilder.Value
  private let scalars: [LLVMBuilder.Value]
  private var image: LLVMBuilder.Value

  /// The function of that name, in the module of `builder`.
  static func write(_ program: LaneProgram, _ builder: LLVMBuilder) {
    let compiler = LaneCompiler(program, builder)
    builder.loop(from: builder.parameter(1), to: builder.parameter(2)) { image in
      var compiler = compiler
      compiler.image = image
      for loop in program.loops { compiler.write(loop) }
    }
    builder.finish()
  }

  private init(_ program: LaneProgram, _ builder: LLVMBuilder) {
    self.program = program
    b = builder
    let words = MemoryLayout<clat_fused_args>.self
    let arguments = builder.parameter(0)
    func field(_ type: LLVMBuilder.Kind, _ offset: Int?) -> LLVMBuilder.Value {
      builder.load(type, arguments, builder.int((offset ?? 0) / 8))
    }
    pixels = field(builder.i64, words.offset(of: \.pixels))
    let table = field(builder.bytes, words.offset(of: \.operands))
    operands = program.roles.indices.map { builder.load(builder.bytes, table, builder.int($0)) }
    scalars = (0..<program.scalars).map { _ in builder.variable() }
    scratch = builder.parameter(3)
    image = builder.int(0)
  }

  private func write(_ loop: LaneProgram.Loop) {
    begin(loop)
    switch loop.space {
    case .full:
      b.loop(from: b.int(0), to: pixels) { pixel in
        let row = b.addInt(b.multiplyInt(image, pixels), pixel)
        overChannels { channel, live in body(loop, row, channel, live) }
      }
    case .imageChannel:
      overChannels { channel, live in body(loop, image, channel, live) }
    default: body(loop, image, b.int(0), 1)
    }
    end(loop)
  }

  /// Whole vectors in a loop, then the rest.
  private func overChannels(_ body: (LLVMBuilder.Value, _ live: Int) -> Void) {
    let whole = program.channels / b.lanes * b.lanes
    if whole > 0 {
      b.loop(from: b.int(0), to: b.int(whole), step: b.lanes) { body($0, b.lanes) }
    }
    if whole < program.channels { body(b.int(whole), program.channels - whole) }
  }

  /// Every sum starts from nothing.
  private func begin(_ loop: LaneProgram.Loop) {
    for step in loop.steps {
      switch step.code {
      case CLAT_LANE_SUM: b.set(scalars[step.index], b.splat(0))
      case CLAT_LANE_TOP: b.set(scalars[step.index], b.splat(-.infinity))
      case CLAT_LANE_SUM_ROW:
        overChannels { channel, live in
          b.store(b.splat(0), scratch, rowPlace(step.index, channel), live: live)
        }
      default: break
      }
    }
  }

  private func end(_ loop: LaneProgram.Loop) {
    for step in loop.steps {
      let combine: ((LLVMBuilder.Value, LLVMBuilder.Value) -> LLVMBuilder.Value)? =
        switch step.code {
        case CLAT_LANE_SUM: b.add
        case CLAT_LANE_TOP: maximum
        default: nil
        }
      guard let combine else { continue }
      b.set(scalars[step.index], b.acrossLanes(b.get(scalars[step.index]), combine))
    }
  }

  private func maximum(_ x: LLVMBuilder.Value, _ y: LLVMBuilder.Value) -> LLVMBuilder.Value {
    b.select(b.compare(LLVMRealOLT, x, y), y, x)
  }

  private func rowPlace(_ row: Int, _ channel: LLVMBuilder.Value) -> LLVMBuilder.Value {
    b.addInt(channel, b.int(row * program.channels))
  }

  /// All steps on one vector, of which the first `live` lanes count. `row` counts pixels, or images
  /// where the loop does not run over pixels.
  private func body(
    _ loop: LaneProgram.Loop, _ row: LLVMBuilder.Value, _ channel: LLVMBuilder.Value, _ live: Int
  ) {
    let at = Place(row: row, channel: channel, live: live)
    var values: [LLVMBuilder.Value] = []
    for step in loop.steps {
      values.append(self.value(step, step.inputs.map { values[$0] }, at))
    }
  }

  private struct Place {
    var row, channel: LLVMBuilder.Value
    var live: Int
  }

  /// The value of a step; of one that stores, what it stored.
  private func value(
    _ step: LaneProgram.Step, _ x: [LLVMBuilder.Value], _ at: Place
  ) -> LLVMBuilder.Value {
    switch step.code {
    case CLAT_LANE_LOAD: return load(step.index, at)
    case CLAT_LANE_CONSTANT: return b.splat(step.value)
    case CLAT_LANE_SCALAR: return b.get(scalars[step.index])
    case CLAT_LANE_ROW:
      return b.load(scratch, rowPlace(step.index, at.channel), live: at.live)
    case CLAT_LANE_ADD: return b.add(x[0], x[1])
    case CLAT_LANE_SUBTRACT: return b.subtract(x[0], x[1])
    case CLAT_LANE_MULTIPLY: return b.multiply(x[0], x[1])
    case CLAT_LANE_DIVIDE: return b.divide(x[0], x[1])
    case CLAT_LANE_MULTIPLY_ADD: return b.multiplyAdd(x[0], x[1], x[2])
    case CLAT_LANE_MAXIMUM: return maximum(x[0], x[1])
    case CLAT_LANE_SELECT:
      return b.select(b.compare(LLVMRealOGT, x[0], b.splat(0)), x[1], x[2])
    case CLAT_LANE_ABSOLUTE: return b.absolute(x[0])
    case CLAT_LANE_EXP: return b.exp(x[0])
    case CLAT_LANE_LOG: return b.log(x[0])
    case CLAT_LANE_LOG1P: return b.log1p(x[0])
    case CLAT_LANE_ERF: return b.erf(x[0])
    case CLAT_LANE_TANH: return b.tanh(x[0])
    default:
      keep(step, x[0], at)
      return x[0]
    }
  }

  private func keep(_ step: LaneProgram.Step, _ x: LLVMBuilder.Value, _ at: Place) {
    switch step.code {
    case CLAT_LANE_STORE: store(step.index, x, at)
    case CLAT_LANE_SET_SCALAR: b.set(scalars[step.index], x)
    case CLAT_LANE_SET_ROW:
      b.store(x, scratch, rowPlace(step.index, at.channel), live: at.live)
    case CLAT_LANE_SUM:
      b.set(scalars[step.index], b.add(b.get(scalars[step.index]), dead(x, 0, at)))
    case CLAT_LANE_TOP:
      b.set(scalars[step.index], maximum(b.get(scalars[step.index]), dead(x, -.infinity, at)))
    default:
      let place = rowPlace(step.index, at.channel)
      b.store(b.add(b.load(scratch, place, live: at.live), x), scratch, place, live: at.live)
    }
  }

  /// x with lanes that do not count replaced.
  private func dead(_ x: LLVMBuilder.Value, _ value: Float, _ at: Place) -> LLVMBuilder.Value {
    at.live == b.lanes ? x : b.select(b.liveLanes(at.live), x, b.splat(value))
  }

  private func load(_ operand: Int, _ at: Place) -> LLVMBuilder.Value {
    let base = operands[operand]
    switch program.roles[operand] {
    case .full: return b.load(base, fullPlace(at), live: at.live)
    case .bits:
      return b.select(b.loadBits(base, bitPlace(at), live: at.live), b.splat(1), b.splat(0))
    case .channel: return b.load(base, at.channel, live: at.live)
    case .image: return b.broadcast(base, image)
    case .imageChannel: return b.load(base, imagePlace(at), live: at.live)
    }
  }

  private func store(_ operand: Int, _ x: LLVMBuilder.Value, _ at: Place) {
    let base = operands[operand]
    switch program.roles[operand] {
    case .full: b.store(x, base, fullPlace(at), live: at.live)
    case .bits:
      b.storeBits(b.compare(LLVMRealOGT, x, b.splat(0)), base, bitPlace(at), live: at.live)
    case .channel: b.store(x, base, at.channel, live: at.live)
    case .image: b.storeFirst(x, base, image)
    case .imageChannel: b.store(x, base, imagePlace(at), live: at.live)
    }
  }

  private func fullPlace(_ at: Place) -> LLVMBuilder.Value {
    b.addInt(b.multiplyInt(at.row, b.int(program.channels)), at.channel)
  }

  private func imagePlace(_ at: Place) -> LLVMBuilder.Value {
    b.addInt(b.multiplyInt(image, b.int(program.channels)), at.channel)
  }

  /// The byte of the first lane; vectors begin at multiples of eight lanes.
  private func bitPlace(_ at: Place) -> LLVMBuilder.Value {
    let row = b.multiplyInt(at.row, b.int((program.channels + 7) / 8))
    return b.addInt(row, b.eighth(at.channel))
  }
}
