import Glibc
import Synchronization
import Testing

/// A small HTTP server on a thread of its own, whose answers a test can change.
final class Origin: Sendable {
  let port: UInt16
  private let listener: Int32
  private let answer: Mutex<String>
  private let isStopped = Atomic<Bool>(false)
  /// The heads received.
  let requests = Collected<String>()

  init(port: UInt16? = nil, answer: String = Origin.status("200 OK")) throws {
    self.port = try port ?? freeLocalPort()
    self.answer = Mutex(answer)
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var one: Int32 = 1
    var address = localAddress(port: self.port)
    // The variables outlive the calls, and have the sizes given.
    unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, 4)
    let status = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        unsafe Glibc.bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    try #require(status == 0 && listen(listener, 16) == 0)
    var thread = pthread_t()
    // The retained pointer is taken over by the thread.
    let started = unsafe pthread_create(
      &thread, nil,
      { argument in
        unsafe Unmanaged<Origin>.fromOpaque(argument!).takeRetainedValue().serve()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    try #require(started == 0)
    pthread_detach(thread)
  }

  static func status(_ status: String) -> String {
    "HTTP/1.1 \(status)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
  }

  /// What is sent to whoever connects; empty: nothing, and the connection is closed.
  func set(answer text: String) { answer.withLock { $0 = text } }

  /// Stops listening; connections are refused from now on.
  func stop() {
    guard !isStopped.exchange(true, ordering: .acquiringAndReleasing) else { return }
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  private func serve() {
    while !isStopped.load(ordering: .acquiring) {
      let connection = accept(listener, nil, nil)
      guard connection >= 0 else { return }
      var bytes = [UInt8](repeating: 0, count: 4_096)
      // At most the array's length is written into it.
      let count = unsafe recv(connection, &bytes, bytes.count, 0)
      if count > 0 { requests.append(String(decoding: bytes[..<count], as: UTF8.self)) }
      let text = Array(answer.withLock { $0 }.utf8)
      // The array outlives the call.
      if !text.isEmpty, count > 0 { _ = unsafe send(connection, text, text.count, Int32(MSG_NOSIGNAL)) }
      close(connection)
    }
  }
}
