import HTTPTypes
import Hummingbird
import NIOCore
import Resources
import Synchronization

/// `/v1/events`: changes as server-sent events (WHATWG HTML §9.2).
///
/// A reader that is too slow is ended; it comes back with `Last-Event-ID` and gets what it missed, or is
/// told to read everything again.
final class EventStreams: Sendable {
  /// Events that wait for one reader; each is a summary of some kilobytes at most.
  static let waitingMax = 256
  /// What a client waits before it comes back.
  static let retryMilliseconds = 2_000

  /// Each holds a connection, of which there are 64.
  let streamsMax: Int
  /// Comments, so that both sides see that the other is there; shorter than the stall limit.
  private let heartbeat: Duration
  private let open = Atomic(0)

  init(streamsMax: Int, heartbeat: Duration) {
    self.streamsMax = streamsMax
    self.heartbeat = heartbeat
  }

  /// One reader's place; free again when nobody holds it.
  private final class Place: Sendable {
    let streams: EventStreams

    init?(_ streams: EventStreams) {
      self.streams = streams
      let before = streams.open.add(1, ordering: .relaxed).oldValue
      guard before < streams.streamsMax else { return nil }
    }

    deinit { streams.open.subtract(1, ordering: .relaxed) }
  }

  private enum Item: Sendable {
    case event(ChangeEvent)
    case heartbeat
  }

  func response(_ call: AdminCall, _ calls: BackendCalls) async throws(Problem) -> Response {
    let after = try Self.position(call)
    let headers: HTTPFields = [
      .contentType: "text/event-stream", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
    ]
    if call.request.method == .head { return Response(status: .ok, headers: headers) }
    guard let place = Place(self) else {
      throw Problem(.tooManyStreams, "There are \(streamsMax) event streams already.")
    }
    let events = try await calls.ask { backend throws(BackendFailure) in
      await backend.changes(after: after)
    }
    let body = call.request.body
    return Response(
      status: .ok, headers: headers,
      body: ResponseBody { [self] writer in
        defer { withExtendedLifetime(place) {} }
        try await send(events, to: &writer, until: body)
        try await writer.finish(nil)
      })
  }

  /// What the reader had last: the field of a browser that comes back goes before the URL's parameter.
  private static func position(_ call: AdminCall) throws(Problem) -> UInt64? {
    if let field = call.headers[.lastEventID], !field.isEmpty {
      guard let revision = UInt64(field) else {
        throw Problem(.malformedRequest, "Last-Event-ID is a revision.")
      }
      return revision
    }
    return try call.query.number("after", in: 0...UInt64.max)
  }

  /// Sends until the events end, or the client is gone.
  @concurrent private func send(
    _ events: AsyncStream<ChangeEvent>, to writer: inout any ResponseBodyWriter, until body: RequestBody
  ) async throws {
    let (items, input) = AsyncStream.makeStream(
      of: Item.self, bufferingPolicy: .bufferingOldest(Self.waitingMax))
    let pump = Task {
      for await event in events {
        // The reader is too slow: it gets what waits, and comes back for the rest.
        if case .dropped = input.yield(.event(event)) { break }
      }
      input.finish()
    }
    let pulse = Task { [heartbeat] in
      while !Task.isCancelled {
        try? await Task.sleep(for: heartbeat)
        input.yield(.heartbeat)
      }
    }
    let watch = Task {
      // Its end is the client's: without this, only the next heartbeat would find out.
      try? await body.consumeWithInboundCloseHandler { _ in
        await Self.untilCancelled()
      } onInboundClosed: {
        input.finish()
      }
    }
    var failure: (any Error)?
    do {
      try await writer.write(ByteBuffer(string: "retry: \(Self.retryMilliseconds)\n: changes follow\n\n"))
      for await item in items { try await writer.write(Self.text(item)) }
    } catch {
      failure = error
    }
    pump.cancel()
    pulse.cancel()
    watch.cancel()
    // The server goes on with the connection after this: nobody else may read from it then.
    await watch.value
    if let failure { throw failure }
  }

  private static func untilCancelled() async {
    let (nothing, input) = AsyncStream.makeStream(of: Never.self)
    defer { input.finish() }
    for await _ in nothing {}
  }

  private static func text(_ item: Item) -> ByteBuffer {
    switch item {
    case .heartbeat: ByteBuffer(string: ":\n\n")
    case .event(.change(let summary)):
      // A reader that comes back after a part of a revision begins with all of it.
      event("change", summary.isContinued ? nil : summary.revision, summary.document)
    case .event(.resync(let revision)): event("resync", revision, ["revision": .number(revision)])
    }
  }

  /// JSON has no line ends of its own, so one line holds it.
  private static func event(_ name: String, _ revision: UInt64?, _ data: JSON) -> ByteBuffer {
    let id = revision.map { "id: \($0)\n" } ?? ""
    return ByteBuffer(string: "\(id)event: \(name)\ndata: \(data.text)\n\n")
  }
}
