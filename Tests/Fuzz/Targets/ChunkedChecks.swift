import HTTPCodec

/// The chunked coding.
///
/// - Content that arrives in pieces is read as the whole is: content, trailers, end, and errors.
/// - No index goes beyond what came, and each call goes on or asks for more.
/// - What was read is read again when it is coded anew, and bytes behind the end do not matter.
enum ChunkedChecks {
  private struct Result: Equatable {
    var content: [UInt8] = []
    var trailers: [UInt8] = []
    /// Bytes of the whole coding, where it is complete.
    var end: Int?
    var error: HTTP1Error?
  }

  static func check(_ input: [UInt8]) throws(BrokenProperty) {
    let whole = try decode(input, [input.count])
    for ends in Pieces.ways(of: input) {
      let cut = try decode(input, ends)
      try require(cut == whole, "in pieces that end at \(ends.prefix(40)): \(cut), as a whole: \(whole)")
    }
    guard let end = whole.end else { return }
    try checkTrailers(whole.trailers)
    try require(try decode(Array(input[..<end]), [end]) == whole, "bytes behind the end matter")
    try checkAgain(whole)
  }

  private static func checkTrailers(_ trailers: [UInt8]) throws(BrokenProperty) {
    var fields: [Field] = []
    do throws(HTTP1Error) {
      try TrailerSection.parse(trailers.span, ByteRange(start: 0, count: trailers.count), into: &fields)
    } catch {
      throw BrokenProperty("trailers that were accepted are refused: \(error)")
    }
    try requireWithin(trailers.count, fields)
  }

  /// Decodes `input` as it comes in pieces; what was consumed is removed, as a buffer would do.
  private static func decode(_ input: [UInt8], _ ends: [Int]) throws(BrokenProperty) -> Result {
    var decoder = ChunkedDecoder()
    var result = Result()
    /// Where the bytes that are held begin in the input.
    var base = 0
    for end in ends {
      let held = Array(input[base..<end])
      var position = 0
      while true {
        let event: ChunkedEvent
        do throws(HTTP1Error) {
          event = try decoder.next(held.span, from: position)
        } catch {
          result.error = error
          return result
        }
        switch event {
        case .data(let range):
          try requireWithin(held.count, [range])
          try require(range.start >= position && range.count > 0, "content that is no progress")
          result.content += held[range.range]
          position = range.end
          continue
        case .needMore(let consumed):
          try require(position...held.count ~= consumed, "consumed \(consumed) of \(held.count)")
          base += consumed
        case .end(let trailers, let consumed):
          try require(position...held.count ~= consumed, "consumed \(consumed) of \(held.count)")
          try requireWithin(consumed, [trailers])
          result.trailers = Array(held[trailers.range])
          result.end = base + consumed
          return result
        }
        break
      }
    }
    return result
  }

  private static func checkAgain(_ result: Result) throws(BrokenProperty) {
    var coded: [UInt8] = []
    var rest = result.content[...]
    while !rest.isEmpty {
      let chunk = rest.prefix(7)
      rest = rest.dropFirst(chunk.count)
      coded += Array(String(chunk.count, radix: 16).utf8) + [13, 10] + chunk + [13, 10]
    }
    coded += [48, 13, 10] + result.trailers + [13, 10]
    let again = try decode(coded, [coded.count])
    try require(
      again == Result(content: result.content, trailers: result.trailers, end: coded.count),
      "coded anew: \(again), before: \(result)")
  }
}
