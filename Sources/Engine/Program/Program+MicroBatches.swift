import IR

/// Micro-batches: where no image sees another, a thread runs all instructions for some of its images
/// before the next ones, so that a large batch needs no more memory and time an image than a
/// small one (decision 0008).
extension Program {
  /// Gives buffers their memory, instructions their slices and barriers.
  mutating func arrange(persistent: Set<Int>, temporaries: [Int: ClosedRange<Int>]) {
    planMemory(persistent: persistent, temporaries: temporaries)
    partition()
    placeBarriers()
  }

  /// Cuts sections at their barriers into segments of micro-batches, unless that would need
  /// further barriers.
  ///
  /// - Parameter images: the most images of a micro-batch.
  mutating func cutIntoMicroBatches(
    of images: Int, persistent: Set<Int>, temporaries: [Int: ClosedRange<Int>]
  ) {
    let own = (regions.units + threads - 1) / threads
    let rounds = (own + images - 1) / images
    guard rounds > 1 else { return }
    var cut = self
    for index in sections.indices
    where sections[index].stage != .weights && !sections[index].instructions.isEmpty {
      cut.sections[index].segments = segments(of: sections[index], rounds: rounds)
    }
    cut.arrange(persistent: persistent, temporaries: temporaries)
    if cut.regions.units == regions.units && cut.microBatchesNeedNoBarrier { self = cut }
  }

  private func segments(of section: Section, rounds: Int) -> [Segment] {
    let starts = section.instructions.filter {
      $0 == section.instructions.lowerBound || instructions[$0].barrier
    }
    let ends = starts.dropFirst() + [section.instructions.upperBound]
    return zip(starts, ends).map { start, end in
      Segment(instructions: start..<end, rounds: end - start > 1 ? rounds : 1)
    }
  }

  private var microBatchesNeedNoBarrier: Bool {
    segments.allSatisfy { segment in
      segment.rounds == 1
        || segment.instructions.dropFirst().allSatisfy { !instructions[$0].barrier }
    }
  }
}
