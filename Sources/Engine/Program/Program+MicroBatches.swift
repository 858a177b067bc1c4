import IR

/// Micro-batches: where no image sees another, a thread runs all instructions for some of its images
/// before the next ones, so that a large batch needs no more memory and time an image than a
/// small one (decision 0008).
extension Program {
  /// Gives buffers their memory, instructions their slices and barriers, for a number of threads.
  ///
  /// - Parameter microBatch: the most images that a thread takes through a segment at once.
  mutating func arrange(threads: Int, microBatch: Int) {
    self.threads = threads
    for index in sections.indices {
      sections[index].segments = [Segment(instructions: sections[index].instructions)]
    }
    arrange()
    cutIntoMicroBatches(of: microBatch)
  }

  private mutating func arrange() {
    planMemory()
    partition()
    placeBarriers()
  }

  /// Cuts sections at their barriers into segments of micro-batches, unless that would need
  /// further barriers.
  private mutating func cutIntoMicroBatches(of images: Int) {
    let own = (regions.units + threads - 1) / threads
    let rounds = (own + images - 1) / images
    guard rounds > 1 else { return }
    var cut = self
    for index in sections.indices
    where !sections[index].stage.precedesBatch && !sections[index].instructions.isEmpty {
      cut.sections[index].segments = segments(of: sections[index], rounds: rounds)
    }
    cut.arrange()
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
