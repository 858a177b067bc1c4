/// Turns batch norms in evaluation mode into per-channel scale and shift, known at stage `weights`,
/// and multiplies the scale into the filters of the convolution before it. The input gradient and
/// the weight gradient see the same scaled filters, so that the backward pass of a folded batch
/// norm costs nothing.
func foldBatchNorm(_ graph: Graph) throws -> Graph {
  try eliminateDead(
    eliminateCommon(
      absorbInputScales(
        eliminateCommon(
          absorbGradientScales(
            eliminateCommon(absorbScales(eliminateCommon(lowerBatchNorms(graph)))))))))
}

/// batch_norm in evaluation mode -> batch_norm_fold, affine.
private func lowerBatchNorms(_ graph: Graph) throws -> Graph {
  var rewriter = try Rewriter(graph)
  for node in graph.nodes {
    guard node.op == "batch_norm",
      node.attributes.string("mode") == BatchNormMode.eval.rawValue
    else {
      try rewriter.copy(node)
      continue
    }
    let operands = try node.operands.map(rewriter.mapped)
    let fold = try rewriter.builder.emit(
      "batch_norm_fold", Array(operands[1...4]), ["eps": .float(node.attributes.float("eps"))])
    rewriter.replace(
      node.results[0],
      by: try rewriter.builder.emitOne("affine", [operands[0], fold[0], fold[1]]))
  }
  return try rewriter.finish()
}

/// affine(conv2d(x, w), scale, shift) -> bias_add(conv2d(x, scale_filters(w, scale)), shift).
private func absorbScales(_ graph: Graph) throws -> Graph {
  let staged = graph.withStages()
  let definitions = graph.definitions
  let reads = graph.readCounts
  func convolution(before node: Node) -> Node? {
    guard node.op == "affine", staged.stage(node.operands[1])?.precedesBatch == true,
      reads[node.operands[0].index] == 1, let index = definitions[node.operands[0].index],
      graph.nodes[index].op == "conv2d"
    else { return nil }
    return graph.nodes[index]
  }
  let absorbed = Set(graph.nodes.compactMap { convolution(before: $0)?.results[0] })
  var rewriter = try Rewriter(graph)
  for node in graph.nodes where !node.results.contains(where: absorbed.contains) {
    guard let convolution = convolution(before: node) else {
      try rewriter.copy(node)
      continue
    }
    let builder = rewriter.builder
    let scale = try rewriter.mapped(node.operands[1])
    let filters = try builder.emitOne(
      "scale_filters", [rewriter.mapped(convolution.operands[1]), scale])
    let y = try builder.emitOne(
      "conv2d", [rewriter.mapped(convolution.operands[0]), filters], convolution.attributes)
    rewriter.replace(
      node.results[0],
      by: try builder.emitOne("bias_add", [y, rewriter.mapped(node.operands[2])]))
  }
  return try rewriter.finish()
}

/// conv2d_input_grad(channel_scale(dy, s), w) -> conv2d_input_grad(dy, scale_filters(w, s)), and
/// conv2d_weight_grad(x, channel_scale(dy, s)) -> scale_filters(conv2d_weight_grad(x, dy), s).
private func absorbGradientScales(_ graph: Graph) throws -> Graph {
  let staged = graph.withStages()
  let definitions = graph.definitions
  func scaled(_ value: ValueID) -> (dy: ValueID, scale: ValueID)? {
    guard let index = definitions[value.index], graph.nodes[index].op == "channel_scale",
      staged.stage(graph.nodes[index].operands[1])?.precedesBatch == true
    else { return nil }
    return (graph.nodes[index].operands[0], graph.nodes[index].operands[1])
  }
  var rewriter = try Rewriter(graph)
  for node in graph.nodes {
    let builder = rewriter.builder
    if node.op == "conv2d_input_grad", let (dy, scale) = scaled(node.operands[0]) {
      let filters = try builder.emitOne(
        "scale_filters", [rewriter.mapped(node.operands[1]), rewriter.mapped(scale)])
      rewriter.replace(
        node.results[0],
        by: try builder.emitOne(node.op, [rewriter.mapped(dy), filters], node.attributes))
    } else if node.op == "conv2d_weight_grad", let (dy, scale) = scaled(node.operands[1]) {
      let dw = try builder.emitOne(
        node.op, [rewriter.mapped(node.operands[0]), rewriter.mapped(dy)], node.attributes)
      rewriter.replace(
        node.results[0], by: try builder.emitOne("scale_filters", [dw, rewriter.mapped(scale)]))
    } else {
      try rewriter.copy(node)
    }
  }
  return try rewriter.finish()
}

/// Batch norm and ReLU before a convolution: channel_scale(relu_grad(conv2d_input_grad(dy, w), y), s)
/// -> relu_grad(conv2d_input_grad(dy, scale_filters(w, s) of the input channels), y); likewise where
/// an average is taken in between.
private func absorbInputScales(_ graph: Graph) throws -> Graph {
  let staged = graph.withStages()
  let definitions = graph.definitions
  let reads = graph.readCounts
  func producer(_ value: ValueID, _ op: String) -> Node? {
    guard reads[value.index] == 1, let index = definitions[value.index],
      graph.nodes[index].op == op
    else { return nil }
    return graph.nodes[index]
  }
  var scales: [ValueID: ValueID] = [:]  // by the input gradient that it goes into
  var absorbed = Set<ValueID>()
  for node in graph.nodes where node.op == "channel_scale" {
    guard staged.stage(node.operands[1])?.precedesBatch == true,
      let relu = producer(node.operands[0], "relu_grad"),
      let gradient = producer(
        producer(relu.operands[0], "avg_pool_grad")?.operands[0] ?? relu.operands[0],
        "conv2d_input_grad"),
      gradient.attributes.int("groups") == 1
    else { continue }
    scales[gradient.results[0]] = node.operands[1]
    absorbed.insert(node.results[0])
  }
  var rewriter = try Rewriter(graph)
  for node in graph.nodes {
    if let scale = scales[node.results[0]] {
      let filters = try rewriter.builder.emitOne(
        "scale_filters", [rewriter.mapped(node.operands[1]), rewriter.mapped(scale)],
        ["axis": .int(1)])
      rewriter.replace(
        node.results[0],
        by: try rewriter.builder.emitOne(
          node.op, [rewriter.mapped(node.operands[0]), filters], node.attributes))
    } else if absorbed.contains(node.results[0]) {
      rewriter.replace(node.results[0], by: try rewriter.mapped(node.operands[0]))
    } else {
      try rewriter.copy(node)
    }
  }
  return try rewriter.finish()
}
