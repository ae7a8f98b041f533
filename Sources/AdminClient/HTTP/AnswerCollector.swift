import NIOHTTP1

/// Puts an answer together from its parts, within a limit.
struct AnswerCollector: Sendable {
  private enum State {
    case beforeHead
    case content
    case complete
  }

  /// Heads before the final one (RFC 9110 §15.2) that are passed over.
  static let interimMax = 8

  let bytesMax: Int
  private var state = State.beforeHead
  private var interimCount = 0
  private(set) var answer = AdminAnswer(status: 0, mediaType: "", content: [])

  init(bytesMax: Int) { self.bytesMax = bytesMax }

  /// Whether the head is there, and so the status.
  var hasHead: Bool { answer.status != 0 }

  /// True where the answer is whole.
  mutating func take(_ part: HTTPClientResponsePart) throws(ClientFailure) -> Bool {
    switch (part, state) {
    case (.head(let head), .beforeHead):
      guard head.status.code >= 200 else {
        interimCount += 1
        guard interimCount <= Self.interimMax else { throw .malformedAnswer("only interim answers") }
        return false
      }
      answer.status = Int(head.status.code)
      answer.mediaType = Self.mediaType(head)
      state = .content
    case (.body(let buffer), .content):
      guard answer.content.count + buffer.readableBytes <= bytesMax else {
        throw .answerTooLarge(bytesMax: bytesMax)
      }
      answer.content += buffer.readableBytesView
    case (.end, .content):
      state = .complete
      return true
    default: throw .malformedAnswer("a part of it comes where none can be")
    }
    return false
  }

  /// What has come since, for a stream without an end.
  mutating func takeContent() -> [UInt8] {
    defer { answer.content = [] }
    return answer.content
  }

  private static func mediaType(_ head: HTTPResponseHead) -> String {
    let field = head.headers.first(name: "Content-Type") ?? ""
    return field.prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
  }
}

extension AdminAnswer {
  var isEventStream: Bool { status == 200 && mediaType == "text/event-stream" }

  /// What an answer that is no success says.
  var failure: ClientFailure {
    if mediaType == ProblemReport.mediaType, let problem = ProblemReport(status: status, content: content) {
      return .refused(problem)
    }
    let excerptMax = 200
    let excerpt = TerminalText.line(String(decoding: content.prefix(excerptMax), as: UTF8.self))
    return .unexpected(status: status, excerpt: excerpt)
  }
}
