/// Reads one direction of a connection of HTTP/1.1, and takes the narrowest reading of RFC 9112 for the
/// only one: what it accepts no recipient should read otherwise.
///
/// Written for checking, apart from `HTTPCodec` and without any of its code, so that a mistake of one is
/// not shared by the other. Slow.
public struct StrictHTTP1Reader {
  private enum State {
    case head
    case fixed(Int)
    case chunkSize
    case chunk(Int)
    case chunkEnd
    case trailers
    case untilClose
    /// Another protocol has taken over, or the messages are over.
    case raw
  }

  /// Methods of the requests that were not answered, in their order; empty for the direction of requests.
  public var expected: [String] = []
  /// A request that asks for an upgrade holds up what is behind it until it is answered.
  public var isHeld = false
  public let readsRequests: Bool
  private var state = State.head
  private var bytes: [UInt8] = []
  private var position = 0
  private var message = StrictHTTP1Message()

  public init(readsRequests: Bool) { self.readsRequests = readsRequests }

  /// Bytes came that no whole message explains yet.
  public var isInMessage: Bool {
    if case .head = state { return position < bytes.count }
    return true
  }

  /// What follows is not HTTP/1.1.
  public mutating func becomesRaw() {
    state = .raw
    isHeld = false
  }

  public mutating func append(_ more: [UInt8]) {
    bytes.removeFirst(position)
    position = 0
    bytes += more
  }

  /// A part of what has come.
  public enum Event {
    /// A head; its message follows.
    case head(StrictHTTP1Message)
    case message(StrictHTTP1Message)
  }

  /// The next event; nil until more has come.
  public mutating func next() throws(StrictFault) -> Event? {
    while true {
      switch state {
      case .raw:
        position = bytes.count
        return nil
      case .head:
        if isHeld { return nil }
        guard let head = try readHead() else { return nil }
        return head
      case .fixed(let count):
        guard takeContent(count) else { return nil }
        return finish()
      case .chunkSize:
        guard let line = try readLine() else { return nil }
        state = try Self.stateAfterSize(line)
      case .chunk(let count):
        guard takeContent(count) else { return nil }
        state = .chunkEnd
      case .chunkEnd:
        guard bytes.count - position >= 2 else { return nil }
        guard bytes[position] == 13, bytes[position + 1] == 10 else {
          throw StrictFault("a chunk does not end where its size says")
        }
        position += 2
        state = .chunkSize
      case .trailers:
        guard let line = try readLine() else { return nil }
        if line.isEmpty { return finish() }
        message.trailers.append(try Self.fieldLine(line))
      case .untilClose:
        message.content += bytes[position...]
        position = bytes.count
        return nil
      }
    }
  }

  /// The other side has ended cleanly: the end of content that says so.
  public mutating func end() -> Event? {
    guard case .untilClose = state else { return nil }
    return finish()
  }

  private mutating func finish() -> Event {
    defer { message = StrictHTTP1Message() }
    state = .head
    return .message(message)
  }

  /// Takes up to `count` bytes of content; false when more have to come.
  private mutating func takeContent(_ count: Int) -> Bool {
    let taken = min(count, bytes.count - position)
    message.content += bytes[position..<position + taken]
    position += taken
    if taken == count { return true }
    if case .fixed = state { state = .fixed(count - taken) } else { state = .chunk(count - taken) }
    return false
  }

  // MARK: Lines

  /// A line without its end, which must be CR LF.
  private mutating func readLine() throws(StrictFault) -> String? {
    guard let end = bytes[position...].firstIndex(of: 10) else { return nil }
    guard end > position, bytes[end - 1] == 13 else { throw StrictFault("a line ends with LF alone") }
    let line = bytes[position..<end - 1]
    for byte in line where byte < 32 && byte != 9 || byte == 127 {
      throw StrictFault("the control character \(byte) in a line")
    }
    position = end + 1
    return String(decoding: line, as: UTF8.self)
  }

  private static func stateAfterSize(_ line: String) throws(StrictFault) -> State {
    guard !line.isEmpty, line.count <= 8, line.allSatisfy(\.isHexDigit), let size = Int(line, radix: 16)
    else {
      throw StrictFault("the chunk size '\(line)'")
    }
    return size == 0 ? .trailers : .chunk(size)
  }

  private static let nameCharacters = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")

  private static func fieldLine(_ line: String) throws(StrictFault) -> StrictHTTP1Message.Line {
    guard let colon = line.firstIndex(of: ":") else { throw StrictFault("the field line '\(line)'") }
    let name = line[..<colon].lowercased()
    guard !name.isEmpty, name.allSatisfy({ nameCharacters.contains($0) }) else {
      throw StrictFault("the field name '\(name)'")
    }
    var value = line[line.index(after: colon)...]
    while let first = value.first, first == " " || first == "\t" { value.removeFirst() }
    while let last = value.last, last == " " || last == "\t" { value.removeLast() }
    return StrictHTTP1Message.Line(name: name, value: String(value))
  }

  // MARK: Heads

  private mutating func readHead() throws(StrictFault) -> Event? {
    // Nothing is taken before all of it has come.
    guard let end = headEnd() else { return nil }
    guard let start = try readLine() else { return nil }
    message.start = start.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false).map(
      String.init)
    while position < end {
      guard let line = try readLine() else { return nil }
      if line.isEmpty { break }
      message.lines.append(try Self.fieldLine(line))
    }
    return readsRequests ? try takeRequestHead() : try takeResponseHead()
  }

  /// The position behind the empty line.
  private func headEnd() -> Int? {
    var index = position
    while index + 3 < bytes.count {
      if bytes[index] == 13, bytes[index + 1] == 10, bytes[index + 2] == 13, bytes[index + 3] == 10 {
        return index + 4
      }
      index += 1
    }
    return nil
  }

  private mutating func takeRequestHead() throws(StrictFault) -> Event {
    guard message.start.count == 3, message.start[2] == "HTTP/1.1", !message.start[1].isEmpty,
      !message.start[1].contains(" "), message.start[0].allSatisfy({ $0.isLetter && $0.isUppercase })
    else { throw StrictFault("the request line '\(message.start.joined(separator: " "))'") }
    guard message.values(of: "host").count == 1 else { throw StrictFault("not exactly one Host") }
    isHeld = message.asksToUpgrade
    return begin(try message.framing(requestMethod: nil))
  }

  private mutating func takeResponseHead() throws(StrictFault) -> Event {
    guard message.start.count == 3, message.start[0] == "HTTP/1.1", message.start[1].utf8.count == 3,
      (100...599).contains(message.status)
    else { throw StrictFault("the status line '\(message.start.joined(separator: " "))'") }
    let method = expected.first ?? "GET"
    let framing = try message.framing(requestMethod: method)
    if message.status >= 200 || message.status == 101, !expected.isEmpty { expected.removeFirst() }
    return begin(framing)
  }

  private mutating func begin(_ framing: StrictHTTP1Message.Framing) -> Event {
    switch framing {
    case .none: state = .fixed(0)
    case .length(let count): state = .fixed(count)
    case .chunked: state = .chunkSize
    case .untilClose: state = .untilClose
    }
    return .head(message)
  }
}
