import Glibc
import Resources
import Runtime

/// Why a secret cannot be read, for the person who has to put it right.
public struct SecretError: Error, Sendable, CustomStringConvertible {
  public let description: String
}

extension SecretSource {
  /// More is no secret.
  private static let bytesMax = 64 << 10

  /// The secret's bytes, without white space around them where it is text. Blocks while a file is read.
  public func read() throws(SecretError) -> [UInt8] {
    var bytes: [UInt8]
    switch self {
    case .file(let path):
      do throws(SystemError) {
        bytes = try FileContent.read(path, bytesMax: Self.bytesMax)
      } catch {
        throw SecretError(description: "the file \(path) \(MaterialReader.message(for: error))")
      }
    case .environment(let name):
      // getenv's string is copied before anything can change it.
      guard let value = unsafe getenv(name) else {
        throw SecretError(description: "the environment variable \(name) is not set")
      }
      bytes = unsafe Array(String(cString: value).utf8)
    }
    let isBlank = { (byte: UInt8) in byte == 0x20 || (0x09...0x0D).contains(byte) }
    if bytes.count != 32 {
      bytes = Array(bytes.drop(while: isBlank))
      while let last = bytes.last, isBlank(last) { bytes.removeLast() }
    }
    guard !bytes.isEmpty else { throw SecretError(description: "the secret in \(place) is empty") }
    return bytes
  }

  private var place: String {
    switch self {
    case .file(let path): "the file \(path)"
    case .environment(let name): "the environment variable \(name)"
    }
  }
}
