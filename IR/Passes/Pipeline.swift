/// The compiler's graph passes, in order.
///
/// What follows them works on the program: schedule, in-place aliasing, memory plan, partition,
/// barriers.
public enum Pipeline {
  public static func passes(_ request: CompileRequest) -> [Pass] {
    [
      Pass("canonicalize", level: .graph, canonicalize),
      Pass("insertTaps", level: .graph) { try insertTaps($0, names: request.taps) },
      Pass("applyFreeze", level: .graph) { try applyFreeze($0, request) },
      Pass("poolFirst", level: .graph, poolFirst),
      Pass("differentiate", level: .differentiated, differentiate),
      Pass("eliminateDead", level: .differentiated, eliminateDead),
      Pass("eliminateCommon", level: .differentiated, eliminateCommon),
      Pass("foldBatchNorm", level: .differentiated, foldBatchNorm),
      Pass("minimizeSaved", level: .differentiated, minimizeSaved),
      Pass("assignStages", level: .differentiated) { $0.withStages() },
      Pass("fuseEpilogues", level: .differentiated, fuseEpilogues),
      Pass("fuseElementwise", level: .differentiated, fuseElementwise),
      Pass("selectKernels", level: .differentiated) {
        try selectKernels($0, request.convolution)
      },
    ]
  }
}
