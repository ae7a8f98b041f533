import COpenSSL

@testable import TLS

/// Makes what a client with the right keys could send, and OpenSSL would not.
final class Forger {
  private let socket: TLSSocket
  private var direction: cossl_direction

  /// - Parameter socket: a server's, which has left OpenSSL: its state of the client's key tells what it
  ///   expects next, and this copy counts on by itself.
  init(_ socket: TLSSocket) {
    self.socket = socket
    // Established, and so it has keys.
    direction = unsafe socket.keys!.pointee.client
  }

  /// A record sealed with the client's key.
  func record(_ type: UInt8, _ content: [UInt8], padding: Int = 0) -> [UInt8] {
    let tls = socket.tls!
    let cipher = unsafe cossl_cipher_new(Int32(socket.suite))!
    defer { unsafe cossl_cipher_free(cipher) }
    _ = unsafe cossl_cipher_set_key(cipher, &direction, 1)
    // Content, type and padding; sealing appends the last of these bytes itself.
    var inner = content + [type] + [UInt8](repeating: 0, count: padding)
    let last = inner.removeLast()
    _ = unsafe cossl_seal(cipher, &direction, last, inner, inner.count, nil, 0, tls.wire)
    defer { tls.dropOutput() }
    // Copied before it is dropped.
    return unsafe Array(UnsafeBufferPointer(start: tls.wire.pointee.out, count: tls.outputCount))
  }

  /// The client's next key.
  func updateKey() { _ = unsafe cossl_keys_update(&direction, Int32(socket.suite)) }
}
