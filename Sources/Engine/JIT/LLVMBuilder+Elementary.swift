import CLLVM
import Kernels

/// exp, log, erf and tanh of vectors, as in Kernels/eltwise/elementary.inc.h.
extension LLVMBuilder {
  /// A C array of floats.
  private func array<Tuple>(_ tuple: Tuple) -> [Float] {
    withUnsafeBytes(of: tuple) { Array($0.bindMemory(to: Float.self)) }
  }

  private func polynomial<Tuple>(_ coefficients: Tuple, _ x: Value) -> Value {
    let coefficients = array(coefficients)
    return coefficients.dropFirst().reduce(splat(coefficients[0])) {
      multiplyAdd($0, x, splat($1))
    }
  }

  /// Keeps a NaN.
  private func clamp(_ x: Value, _ bound: (low: Float, high: Float)) -> Value {
    let above = select(compare(LLVMRealOLT, x, splat(bound.low)), splat(bound.low), x)
    return select(compare(LLVMRealOGT, above, splat(bound.high)), splat(bound.high), above)
  }

  private func powerOfTwo(_ n: Value) -> Value {
    floats(shiftLeft(addInt(n, splatInt(127)), 23))
  }

  func absolute(_ x: Value) -> Value { floats(and(bits(x), splatInt(0x7fff_ffff))) }

  func exp(_ x: Value) -> Value {
    let magic = splat(0x1.8p23)
    let bounded = clamp(x, (-104, 89))
    let shifted = multiplyAdd(bounded, splat(0x1.715476p0), magic)
    let n = subtract(shifted, magic)
    let coarse = multiplyAdd(n, splat(-0.693359375), bounded)
    let r = multiplyAdd(n, splat(2.12194440e-4), coarse)
    let y = multiplyAdd(multiply(r, r), polynomial(clat_exp_p, r), add(splat(1), r))
    let whole = subtractInt(bits(shifted), bits(magic))
    let half = shiftRight(whole, 1)
    return multiply(multiply(y, powerOfTwo(half)), powerOfTwo(subtractInt(whole, half)))
  }

  func log(_ x: Value) -> Value {
    let root = splatInt(0x3f35_04f3)
    let offset = subtractInt(bits(x), root)
    let e = converted(shiftRight(offset, 23))
    let r = subtract(floats(addInt(and(offset, splatInt(0x7f_ffff)), root)), splat(1))
    let z = multiply(r, r)
    var y = multiply(multiply(r, z), polynomial(clat_log_p, r))
    y = multiplyAdd(e, splat(-2.12194440e-4), y)
    y = multiplyAdd(z, splat(-0.5), y)
    y = multiplyAdd(e, splat(0.693359375), add(r, y))
    y = select(compare(LLVMRealOLT, x, splat(.infinity)), y, x)
    let atZero = select(compare(LLVMRealOEQ, x, splat(0)), splat(-.infinity), splat(.nan))
    y = select(compare(LLVMRealOGT, x, splat(0)), y, atZero)
    return select(compare(LLVMRealUNO, x, x), x, y)
  }

  func log1p(_ x: Value) -> Value {
    let w = add(x, splat(1))
    let d = subtract(w, splat(1))
    let scaled = divide(multiply(log(w), x), d)
    return select(compare(LLVMRealOEQ, d, splat(0)), x, scaled)
  }

  func erf(_ x: Value) -> Value { quotient(clamp(x, (-4, 4)), clat_erf_p, clat_erf_q) }

  func tanh(_ x: Value) -> Value {
    let bound: Float = 7.99881172180175781
    return quotient(clamp(x, (-bound, bound)), clat_tanh_p, clat_tanh_q)
  }

  private func quotient<P, Q>(_ x: Value, _ p: P, _ q: Q) -> Value {
    let z = multiply(x, x)
    return divide(multiply(x, polynomial(p, z)), polynomial(q, z))
  }
}
