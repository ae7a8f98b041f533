import Resources
import Runtime

/// The settings of a plugin that workers can run. From any thread.
public protocol RunnablePlugin: PluginSettings {
  /// Makes what one worker runs for one use of the plugin. On the worker's thread, with the first request that
  /// meets it.
  func plugin(at site: PluginSite) -> Plugin
}

/// One use of a plugin on one worker. Every call is on the worker's thread, and must not block.
///
/// The calls are the phases of the pipeline, in their order; docs/plugins has the diagram:
///
///     connection ─► request head ─► upstream choice ─► chosen service ─► (endpoint) ─► replacement
///                ─► response head ─► (held response) ─► response content ─► end
///
/// A plugin overrides the calls of its ``phases``, and is not called for others. A call that throws answers the
/// request with 500, is counted and logged, and touches no other request.
open class Plugin {
  /// The parts of an exchange that a plugin takes part in.
  public struct Phases: OptionSet, Sendable {
    public let rawValue: UInt16
    public init(rawValue: UInt16) { self.rawValue = rawValue }

    public static let requestHead = Phases(rawValue: 1)
    public static let upstreamChoice = Phases(rawValue: 2)
    public static let responseHead = Phases(rawValue: 4)
    public static let end = Phases(rawValue: 8)
    public static let responseContent = Phases(rawValue: 16)
    public static let replacement = Phases(rawValue: 32)
    public static let heldResponse = Phases(rawValue: 64)
    public static let chosenService = Phases(rawValue: 128)
    /// Its settings have to say so as well: ``PluginSettings/seesConnections``.
    public static let connection = Phases(rawValue: 256)

    /// In their order, as explanations call them.
    var names: [String] {
      [
        (Phases.connection, "connection"), (.requestHead, "request head"),
        (.upstreamChoice, "upstream choice"), (.chosenService, "chosen service"),
        (.replacement, "replacement"), (.responseHead, "response head"), (.heldResponse, "held response"),
        (.responseContent, "response content"), (.end, "end"),
      ]
      .filter { contains($0.0) }.map(\.1)
    }
  }

  public let phases: Phases

  public init(_ phases: Phases) { self.phases = phases }

  /// A connection was accepted. Nothing of it was read, but a PROXY header where the listener expects one. Only plugins
  /// that are set for everything are asked, since nothing narrower is known. One that throws has it closed.
  open func connection(_ connection: AcceptedConnection) throws(PluginFailure) -> ConnectionVerdict { .keep }

  /// The request's head was read, and its route found. Plugins of higher priority have let it pass.
  open func requestHead(_ exchange: Exchange) throws(PluginFailure) -> PluginVerdict { .next }

  /// Called on the exchange's task, on the same thread, after ``requestHead(_:)`` has answered
  /// ``PluginVerdict/wait``.
  open func finishWaiting(_ exchange: Exchange) async throws(PluginFailure) -> PluginVerdict { .next }

  /// All have let the request pass; which service takes it may still be changed.
  open func upstreamChoice(_ exchange: Exchange) throws(PluginFailure) {}

  /// Which service takes the request is settled. Called in the opposite order: who speaks for the service goes before
  /// who has something to do with a request that goes on.
  /// - Returns: what it is answered with in place of the service; nil: it goes on.
  open func serviceChosen(_ exchange: Exchange) throws(PluginFailure) -> PluginAnswer? { nil }

  /// Which services ``upstreamChoice(_:)`` would have take such a request; nil: the route's own. For explanations,
  /// which change nothing.
  open func explainUpstreamChoice(_ request: ExplainedRequest) -> [ExplainedShare]? { nil }

  /// An endpoint's final head has come, or the gateway is about to say that none will: what the client gets in its
  /// place. A response that is replaced is not passed on, and no plugin sees its head or content.
  /// - isEndpoints: Whether a head has come.
  open func replacement(_ exchange: Exchange, for status: UInt16, isEndpoints: Bool) -> PluginAnswer? { nil }

  /// A final head is about to be sent: an endpoint's, or that of an answer of the gateway's own after the route
  /// was found.
  open func responseHead(_ exchange: Exchange) throws(PluginFailure) {}

  /// All content of a response has come that ``responseHead(_:)`` has asked to hold, by this plugin or another;
  /// without what its coding for transfer added. It is sent as it is left.
  open func heldResponse(_ exchange: Exchange, _ content: inout [UInt8]) throws(PluginFailure) {}

  /// Content of an endpoint's response, without its framing, as it is staged for the client. Where
  /// ``Exchange/followContent()`` was called for this response.
  open func responseContent(_ exchange: Exchange, _ content: Span<UInt8>) {}

  /// All content has come. Not called where it broke off.
  open func responseContentEnded(_ exchange: Exchange) {}

  /// The exchange is over, or has become a tunnel; ``Exchange/serviceResult`` says what came of it. Called once for
  /// each request that ``requestHead(_:)`` has let pass.
  open func end(_ exchange: Exchange) {}
}

/// A service that a plugin has take such requests as one that is explained.
public struct ExplainedShare {
  /// Nil: the one that the route has chosen.
  public var service: NamedService?
  /// Of such requests, 0 to 1.
  public var share: Double
  /// In a few words: `rule 1`.
  public var reason: String

  public init(_ service: NamedService?, share: Double, reason: String) {
    self.service = service
    self.share = share
    self.reason = reason
  }
}

/// What becomes of a request.
public enum PluginVerdict {
  case next
  /// The gateway answers it.
  case answer(PluginAnswer)
  /// Something has to be waited for: ``Plugin/finishWaiting(_:)`` goes on.
  case wait
}

/// A plugin cannot do what it is for; the message is for the log.
public struct PluginFailure: Error {
  public var message: String
  public init(_ message: String) { self.message = message }
}

/// An answer of a plugin's. Immutable, so that one may be sent many times.
public final class PluginAnswer: Sendable {
  public let status: UInt16
  /// Of the content; empty: there is no content.
  public let contentType: [UInt8]
  public let content: [UInt8]
  /// Further fields: `name: value` and CRLF each.
  public let lines: [UInt8]
  /// In place of ``content``: bytes that are sent from where they are.
  let held: FrozenBytes?
  let heldRange: Range<Int>
  /// In place of both: what is read while it is sent.
  let pieces: ContentPieces?
  /// It came from an endpoint before: ``lines`` has its date, and its type.
  let isStored: Bool
  /// ``lines`` says what the gateway may say itself.
  let hasTransportSecurity: Bool

  /// What an endpoint has answered before.
  /// - lines: With `Date` and all that is said of the content but its length.
  public init(stored status: UInt16, lines: [UInt8], content: FrozenBytes? = nil, range: Range<Int> = 0..<0) {
    self.status = status
    self.lines = lines
    held = range.count > Exchange.copiedContentMax ? content : nil
    heldRange = range
    pieces = nil
    isStored = true
    hasTransportSecurity = FieldEdits.has(Self.transportSecurity, in: lines)
    contentType = []
    self.content = held == nil ? content?.copy(range) ?? [] : []
  }

  /// The same with content that is read while it is sent. For one exchange.
  public init(stored status: UInt16, lines: [UInt8], pieces: ContentPieces) {
    self.status = status
    self.lines = lines
    self.pieces = pieces
    held = nil
    heldRange = 0..<0
    isStored = true
    hasTransportSecurity = FieldEdits.has(Self.transportSecurity, in: lines)
    contentType = []
    content = []
  }

  static let transportSecurity = Array("strict-transport-security".utf8)

  var contentCount: Int {
    if let pieces { return pieces.count }
    return held == nil ? content.count : heldRange.count
  }

  /// - content: UTF-8; empty: none.
  public init(
    _ status: UInt16, content: [UInt8], contentType: String = "text/plain; charset=utf-8", lines: [UInt8] = []
  ) {
    self.status = status
    self.content = content
    self.contentType = content.isEmpty ? [] : Array(contentType.utf8)
    self.lines = lines
    held = nil
    heldRange = 0..<0
    pieces = nil
    isStored = false
    hasTransportSecurity = false
  }

  /// One sentence for the person who sees it.
  public convenience init(_ status: UInt16, _ text: String, lines: [UInt8] = []) {
    self.init(status, content: Array((text + "\n").utf8), lines: lines)
  }
}
