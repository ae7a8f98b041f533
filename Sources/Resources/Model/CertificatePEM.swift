import Synchronization

/// A certificate's chain and private key as PEM text (RFC 7468). Immutable; from any thread.
///
/// The key's bytes are overwritten when this goes away, as far as nobody else has kept what ``key``
/// gave; copies that the reader of a request's body made are out of reach.
public final class CertificatePEM: Sendable, Equatable {
  /// The certificate, then the intermediate ones.
  public let chain: [UInt8]
  /// Written once more, at the end: hence the lock.
  private let secret: Mutex<[UInt8]>

  public init(chain: [UInt8], key: [UInt8]) {
    self.chain = chain
    secret = Mutex(key)
  }

  deinit {
    secret.withLock { overwrite(&$0) }
  }

  /// The private key. Do not keep it for longer than its use takes.
  public var key: [UInt8] { secret.withLock { $0 } }

  public static func == (a: CertificatePEM, b: CertificatePEM) -> Bool {
    a === b || (a.chain == b.chain && a.key == b.key)
  }
}

/// Not inlined, so that the stores are not taken for useless ones because the memory is freed next.
@inline(never)
private func overwrite(_ bytes: inout [UInt8]) {
  for index in bytes.indices { bytes[index] = 0 }
}
