import HTTPCodec
import Runtime

/// A GET over HTTP/1.1, whose status decides.
struct HTTP1Probe {
  let path: String
  let host: String
  let userAgent: String
  let statuses: [ClosedRange<Int>]

  func run(_ connection: ProbeConnection) async -> HealthProbe.Outcome {
    let worker = connection.worker
    let buffer = worker.buffers.take()
    defer { worker.buffers.give(buffer) }
    appendRequest(to: buffer)
    if let failure = await connection.send(buffer) { return failure }
    var parser = ResponseParser()
    var head = ResponseHead()
    while true {
      if let failure = await connection.receive(into: buffer) { return failure }
      do throws(HTTP1Error) {
        while try parser.parse(buffer.bytes, requestMethod: .get, into: &head) {
          guard (100..<200).contains(head.status), head.status != 101 else {
            return HealthProbe.judge(Int(head.status), statuses)
          }
          // An interim response: the one that counts follows (RFC 9110 §15.2).
          buffer.consume(head.byteCount)
        }
      } catch {
        return .failure(error.description)
      }
    }
  }

  private func appendRequest(to buffer: Buffer) {
    buffer.append("GET ")
    buffer.append(string: path)
    buffer.append(" HTTP/1.1\r\nHost: ")
    buffer.append(string: host)
    buffer.append("\r\nUser-Agent: ")
    buffer.append(string: userAgent)
    buffer.append("\r\nAccept: */*\r\nConnection: close\r\n\r\n")
  }
}
