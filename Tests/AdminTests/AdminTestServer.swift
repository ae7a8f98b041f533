import Foundation
import Logging
import NIOCore
import NIOPosix
import Resources
import Testing

@testable import Admin

/// What a server answered, byte for byte.
struct RawAnswer {
  var status: Int
  /// Names in lower case.
  var headers: [String: String]
  var body: String

  /// The body as a JSON object.
  func object() throws -> [String: Any] {
    try #require(try JSONSerialization.jsonObject(with: Data(body.utf8)) as? [String: Any], "\(body)")
  }

  /// The name at the end of a problem's type.
  func problem() throws -> String {
    #expect(headers["content-type"] == "application/problem+json")
    let type = try #require(try object()["type"] as? String)
    #expect(type.hasPrefix("/problems/"))
    return String(type.dropFirst("/problems/".count))
  }
}

/// A server with backends in memory, and a client that sends whatever a test wants to send.
struct AdminTestServer {
  let port: Int
  let resources: FakeResources

  /// Runs `body` with a server on a free port.
  static func run(
    resources: FakeResources = FakeResources(), backend: FakeBackend = FakeBackend(),
    limits: AdminServer.Limits = AdminServer.Limits(), _ body: (AdminTestServer) async throws -> Void
  ) async throws {
    let server = AdminServer(
      address: HostPort(host: "127.0.0.1", port: 0), backend: backend, resources: resources,
      access: { resources.content.withLock { $0.access } }, logger: Logger(label: "test"), limits: limits)
    try await server.start()
    do {
      try await body(AdminTestServer(port: try #require(server.port), resources: resources))
    } catch {
      await server.stop()
      throw error
    }
    await server.stop()
  }

  func send(
    _ method: String, _ target: String, _ headers: KeyValuePairs<String, String> = [:], body: String? = nil
  ) async throws -> RawAnswer {
    var lines = ["\(method) \(target) HTTP/1.1"]
    if !headers.contains(where: { $0.key == "Host" }) { lines.append("Host: 127.0.0.1:\(port)") }
    lines += headers.map { "\($0.key): \($0.value)" } + ["Connection: close"]
    if let body, !headers.contains(where: { $0.key == "Content-Length" }) {
      lines.append("Content-Length: \(body.utf8.count)")
    }
    return try Self.parse(try await exchange(lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")))
  }

  /// Sends a text and gives all that comes back until the server closes.
  func exchange(_ text: String) async throws -> String {
    try await withConnection { inbound, outbound in
      // A server that refuses may close before it has read everything.
      try? await outbound.write(ByteBuffer(string: text))
      var received = ByteBuffer()
      do {
        for try await part in inbound { received.writeImmutableBuffer(part) }
      } catch is IOError {
        // Reset after the response.
      }
      return String(buffer: received)
    }
  }

  typealias Inbound = NIOAsyncChannelInboundStream<ByteBuffer>
  typealias Outbound = NIOAsyncChannelOutboundWriter<ByteBuffer>

  func withConnection<Result: Sendable>(
    _ body: @Sendable (Inbound, Outbound) async throws -> Result
  ) async throws -> Result {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(host: "127.0.0.1", port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
            wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
      }
    return try await channel.executeThenClose { inbound, outbound in try await body(inbound, outbound) }
  }

  static func parse(_ text: String) throws -> RawAnswer {
    let end = try #require(text.firstRange(of: "\r\n\r\n"), "\(text)")
    let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let colon = try #require(line.firstIndex(of: ":"))
      headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
        in: .whitespaces)
    }
    let status = try #require(Int(lines[0].split(separator: " ")[1]))
    // An interim answer comes before the real one.
    if status == 100 { return try parse(String(text[end.upperBound...])) }
    return RawAnswer(status: status, headers: headers, body: String(text[end.upperBound...]))
  }
}
