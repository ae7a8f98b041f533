import Glibc
import Runtime
import TLS

/// Makes of files what they are for.
enum MaterialReader {
  /// What is wrong with which of a key's files.
  struct Failure: Error {
    var paths: [String]
    var message: String
  }

  /// - Parameter contents: of each of the key's files, in their order.
  static func make(_ key: MaterialKey, _ contents: [[UInt8]]) throws(Failure) -> MaterialValue {
    switch key {
    case .certificate(let name, let chain, let keyPath, let ocsp, let hosts):
      if let ocsp, let message = OCSPResponse.problem(with: contents[2]) {
        throw Failure(paths: [ocsp], message: message)
      }
      return .certificate(
        try certificate(
          name, [chain, keyPath], contents, ocsp: ocsp == nil ? nil : contents[2],
          hosts: hosts.isEmpty ? nil : hosts))
    case .clientCertificate(let chain, let keyPath):
      return .certificate(try certificate(chain, [chain, keyPath], contents, ocsp: nil, hosts: nil))
    case .trust(let authorities, let revocations):
      let paths = [authorities] + (revocations.map { [$0] } ?? [])
      return .trust(
        try failing(paths) { () throws(CertificateError) in
          try TLSTrust.load(pem: contents[0], revokedPEM: revocations == nil ? nil : contents[1])
        })
    case .ticketKeys(let paths):
      for (path, content) in zip(paths, contents) where content.count != 48 && content.count != 80 {
        throw Failure(
          paths: [path],
          message: "a ticket key has 48 or 80 bytes, not \(content.count): make one with openssl rand 80")
      }
      return .ticketKeys(
        try failing(paths) { () throws(CertificateError) in try TicketKeys(files: contents) })
    }
  }

  private static func certificate(
    _ name: String, _ paths: [String], _ contents: [[UInt8]], ocsp: [UInt8]?, hosts: [String]?
  ) throws(Failure) -> TLSCertificate {
    try failing(paths) { () throws(CertificateError) in
      try TLSCertificate.load(
        name: name, chainPEM: contents[0], keyPEM: contents[1], ocspDER: ocsp, hosts: hosts)
    }
  }

  private static func failing<Value>(
    _ paths: [String], _ body: () throws(CertificateError) -> Value
  ) throws(Failure) -> Value {
    do throws(CertificateError) {
      return try body()
    } catch {
      throw Failure(paths: paths, message: error.description)
    }
  }

  /// Why a file cannot be read, and what would help.
  static func message(for error: SystemError) -> String {
    let hint =
      switch error.number {
      case ENOENT: "write it, or correct the path"
      case EACCES, EPERM: "it must be readable by the user that Penstock runs as"
      case EISDIR: "name a file in it"
      case EINVAL: "it must be a file"
      case EFBIG: "\(FilePass.bytesMax >> 20) MiB at most"
      default: ""
      }
    return "cannot be read: \(error.description)" + (hint.isEmpty ? "" : ": \(hint)")
  }
}

/// An OCSP response as it is stapled (RFC 6960 §4.2.1), looked at as far as to tell that it is one.
enum OCSPResponse {
  /// What is wrong with a file's content; `nil` where it is a successful response.
  static func problem(with bytes: [UInt8]) -> String? {
    let notDER = "this is no OCSP response in DER; fetch it with openssl ocsp -respout"
    // SEQUENCE, its length, then ENUMERATED of one byte, responseStatus.
    guard let (length, start) = length(bytes), bytes[0] == 0x30, bytes.count == start + length,
      length >= 3, bytes[start] == 0x0A, bytes[start + 1] == 1
    else { return notDER }
    return bytes[start + 2] == 0
      ? nil : "the responder has answered with error \(bytes[start + 2]); fetch the response again"
  }

  /// The content's length (X.690 §8.1.3), and where it begins.
  private static func length(_ bytes: [UInt8]) -> (length: Int, start: Int)? {
    guard bytes.count >= 2 else { return nil }
    let first = Int(bytes[1])
    if first < 0x80 { return (first, 2) }
    let count = first & 0x7F
    guard (1...3).contains(count), bytes.count >= 2 + count else { return nil }
    return (bytes[2..<2 + count].reduce(0) { $0 << 8 | Int($1) }, 2 + count)
  }
}
