import HTTPCodec

/// Field blocks. The input is an octet of options, then blocks, each with its length in front.
///
/// - A block that is decoded and one that is skipped leave the same table behind.
/// - Ranges lie within the lines; the lines stay within what the limits let through.
/// - What was decoded comes back the same when it is encoded and decoded again, whatever happens to the
///   size of the table in between.
enum HPACKChecks {
  private static let limits = HTTP2HeadLimits(
    targetBytes: 300, headBytes: 2_000, fields: 20, allowsExtendedConnect: true)

  private struct Message: Equatable {
    var lines: [UInt8]
    var fields: [FieldText]
    var shape: String
  }

  private enum Result: Equatable {
    case message(Message)
    case failed(HTTP2BlockError)
  }

  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    guard let options = input.first else { return }
    let blocks = blocks(of: input.dropFirst())
    let tableBytes = [4_096, 0, 64, 300][Int(options & 3)]
    var decoder = HPACKDecoder(tableBytesMax: tableBytes)
    var encoder = HPACKEncoder(tableBytesMax: 4_096, usesHuffman: options & 4 != 0)
    var peer = HPACKDecoder()
    for (index, block) in blocks.enumerated() {
      // A table may be made smaller or larger between two blocks.
      if options & 8 != 0, index > 0 { decoder.setTableBytesMax(tableBytes / (index % 3 + 1)) }
      var skipping = decoder
      let result = try decode(block, kind: options >> 4 & 3, &decoder)
      try checkSkipped(block, result, &skipping, blocks.dropFirst(index + 1).first, decoder, options)
      switch result {
      case .failed(.connection): return
      case .failed: continue
      case .message(let message):
        if options & 64 != 0 { encoder.setPeerTableBytesMax(Int(block.count) * 16) }
        try checkAgain(message, &encoder, &peer)
      }
    }
  }

  private static func blocks(of input: ArraySlice<UInt8>) -> [[UInt8]] {
    var blocks: [[UInt8]] = []
    var rest = input
    while let length = rest.first, blocks.count < 16 {
      rest = rest.dropFirst()
      blocks.append(Array(rest.prefix(Int(length))))
      rest = rest.dropFirst(Int(length))
    }
    return blocks
  }

  private static func decode(
    _ block: [UInt8], kind: UInt8, _ decoder: inout HPACKDecoder
  ) throws(BrokenProperty) -> Result {
    let sink = Sink()
    var request = RequestHead()
    var response = ResponseHead()
    var fields: [Field] = []
    var shape = ""
    do throws(HTTP2BlockError) {
      switch kind {
      case 0, 3:
        try decoder.decodeRequest(
          block.span, into: sink, head: &request, endStream: kind == 0, limits: limits)
        fields = request.fields
        shape = "\(request.method) \(request.targetForm) \(request.target) \(request.host) \(request.framing)"
      case 1:
        try decoder.decodeResponse(
          block.span, into: sink, head: &response, requestMethod: .get, endStream: false, limits: limits)
        fields = response.fields
        shape = "\(response.status) \(response.framing)"
      default: try decoder.decodeTrailers(block.span, into: sink, fields: &fields, limits: limits)
      }
    } catch {
      try require(sink.count == 0, "lines of a block that was refused")
      return .failed(error)
    }
    try requireWithin(sink.count, fields)
    try requireWithin(
      sink.count, [request.methodRange, request.target, request.path, request.query, request.host])
    // Cookies are joined: each crumb may stand there twice.
    try require(sink.count <= limits.headBytes * 2, "\(sink.count) bytes of lines")
    let text = fields.map { FieldText($0, in: sink.bytes) }
    return .message(Message(lines: sink.bytes, fields: text, shape: shape))
  }

  /// Skips the block with a copy of the decoder, and decodes the next one with both.
  private static func checkSkipped(
    _ block: [UInt8], _ result: Result, _ skipping: inout HPACKDecoder, _ next: [UInt8]?,
    _ decoder: HPACKDecoder, _ options: UInt8
  ) throws(BrokenProperty) {
    do throws(HTTP2BlockError) {
      try skipping.skip(block.span)
    } catch {
      // Skipping has limits of its own, which are larger.
      guard case .failed(.connection) = result else {
        throw BrokenProperty("skipping failed with \(error), decoding gave \(result)")
      }
      return
    }
    if case .failed(.connection) = result { return }
    guard let next else { return }
    var other = decoder
    let one = try decode(next, kind: options >> 4 & 3, &skipping)
    let two = try decode(next, kind: options >> 4 & 3, &other)
    try require(one == two, "after a block was skipped: \(one), after it was decoded: \(two)")
  }

  private static func checkAgain(
    _ message: Message, _ encoder: inout HPACKEncoder, _ peer: inout HPACKDecoder
  ) throws(BrokenProperty) {
    encoder.begin()
    for field in message.fields { encoder.encode(name: field.name.span, value: field.value.span) }
    let block = encoder.block
    var copy: [UInt8] = []
    for index in block.indices { copy.append(block[index]) }
    let result = try decode(copy, kind: 2, &peer)
    guard case .message(let again) = result else {
      throw BrokenProperty("\(message.fields) is encoded as \(copy), which gives \(result)")
    }
    try require(again.fields == message.fields, "\(message.fields) comes back as \(again.fields)")
  }
}
