import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// One question and its answer, on a connection of its own: HTTP/1.1 in the clear.
struct HTTPExchange: Sendable {
  typealias Connection = NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>

  let address: AdminAddress
  let token: String?
  let limits: ExchangeLimits

  /// The whole answer, whatever its status.
  func send(_ request: AdminRequest) async throws(ClientFailure) -> AdminAnswer {
    try await run(request, timeout: limits.timeout) { [limits] parts in
      var collector = AnswerCollector(bytesMax: limits.contentBytesMax)
      for try await part in parts where try collector.take(part) { return collector.answer }
      throw HTTPParserError.invalidEOFState
    }
  }

  /// Calls `body` with pieces of a stream of events as they come, until it returns false or the stream
  /// ends. Any other answer is an error.
  ///
  /// - Parameter silenceMax: after so long without a byte, the other side is taken for dead.
  func stream(
    _ request: AdminRequest, silenceMax: Duration, _ body: @escaping @Sendable ([UInt8]) -> Bool
  ) async throws(ClientFailure) {
    let watch = SilenceWatch()
    try await run(request, timeout: silenceMax, watch: watch) { [limits] parts in
      var collector = AnswerCollector(bytesMax: limits.contentBytesMax)
      for try await part in parts {
        watch.heard()
        let isComplete = try collector.take(part)
        if collector.hasHead, !collector.answer.isEventStream {
          guard isComplete else { continue }
          throw collector.answer.failure
        }
        let content = collector.takeContent()
        if !content.isEmpty, !body(content) { return }
        if isComplete { return }
      }
    }
  }

  // MARK: One connection

  private typealias Parts = NIOAsyncChannelInboundStream<HTTPClientResponsePart>

  private func run<Value: Sendable>(
    _ request: AdminRequest, timeout: Duration, watch: SilenceWatch? = nil,
    _ read: @escaping @Sendable (Parts) async throws -> Value
  ) async throws(ClientFailure) -> Value {
    let connection = try await connect()
    do {
      return try await connection.executeThenClose { inbound, outbound in
        try await withThrowingTaskGroup(of: Value?.self) { group in
          group.addTask { try await read(inbound) }
          group.addTask { try await expire(timeout, watch) }
          // An answer may come before the question is out, as when it is too large.
          group.addTask {
            try? await write(request, to: outbound)
            return nil
          }
          defer { group.cancelAll() }
          while let value = try await group.next() {
            if let value { return value }
          }
          throw ClientFailure.interrupted(address, reason: "there is no answer")
        }
      }
    } catch {
      throw failure(error)
    }
  }

  private func expire<Value>(_ timeout: Duration, _ watch: SilenceWatch?) async throws -> Value? {
    var heard = watch?.count ?? 0
    repeat {
      try await Task.sleep(for: timeout)
      guard let watch, watch.count != heard else { throw ClientFailure.timedOut(address, after: timeout) }
      heard = watch.count
    } while !Task.isCancelled
    return nil
  }

  private func connect() async throws(ClientFailure) -> Connection {
    do {
      return try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connectTimeout(TimeAmount(limits.connectTimeout))
        .channelOption(.socketOption(.tcp_nodelay), value: 1)
        .connect(host: address.host, port: address.port) { channel in
          channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHTTPClientHandlers()
            return try Connection(wrappingChannelSynchronously: channel)
          }
        }
    } catch {
      throw ConnectFailure.explain(error, to: address, within: limits.connectTimeout)
    }
  }

  private func write(
    _ request: AdminRequest, to outbound: NIOAsyncChannelOutboundWriter<HTTPClientRequestPart>
  ) async throws {
    var headers = HTTPHeaders(request.fields.map { ($0.name, $0.value) })
    headers.add(name: "Host", value: address.authority)
    headers.add(name: "Connection", value: "close")
    headers.add(name: "User-Agent", value: "penstock")
    if let token { headers.add(name: "Authorization", value: "Bearer " + token) }
    if let content = request.content { headers.add(name: "Content-Length", value: "\(content.count)") }
    let head = HTTPRequestHead(
      version: .http1_1, method: HTTPMethod(rawValue: request.method.rawValue), uri: request.target,
      headers: headers)
    try await outbound.write(.head(head))
    // Pieces, so that a large transaction is not copied a second time as a whole.
    let pieceBytes = 1 << 20
    var rest = request.content?[...] ?? []
    while !rest.isEmpty {
      try await outbound.write(.body(.byteBuffer(ByteBuffer(bytes: rest.prefix(pieceBytes)))))
      rest = rest.dropFirst(pieceBytes)
    }
    try await outbound.write(.end(nil))
  }

  private func failure(_ error: any Error) -> ClientFailure {
    switch error {
    case let failure as ClientFailure: failure
    case is HTTPParserError: .malformedAnswer("\(error)")
    case let error as IOError: .interrupted(address, reason: ConnectFailure.text(error))
    default: .interrupted(address, reason: "\(error)")
    }
  }
}

/// Counts what was heard, for the one who looks whether there was anything.
final class SilenceWatch: Sendable {
  private let counter = Atomic(0)

  var count: Int { counter.load(ordering: .relaxed) }

  func heard() { counter.add(1, ordering: .relaxed) }
}
