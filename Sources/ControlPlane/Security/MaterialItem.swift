import Runtime
import TLS

/// What was made of files.
enum MaterialValue: Sendable {
  case certificate(TLSCertificate)
  case trust(TLSTrust)
  case ticketKeys(TicketKeys)
}

/// What was made of files, and how they were when they were read.
struct MaterialItem: Sendable {
  var value: MaterialValue
  /// Of each file, in the order of ``MaterialKey/paths``, before it was read last.
  var signatures: [FileSignature?]
  /// Of the contents that ``value`` was made of.
  var hashes: [Int]
  /// Why what the files hold now is not in use.
  var problem: SecurityProblem?
}

/// Reads files, each once.
struct FilePass {
  /// 64 MiB is what ``FileContent`` reads; no bundle comes near this.
  static let bytesMax = 16 << 20

  typealias Content = Result<[UInt8], SystemError>

  private(set) var signatures: [String: FileSignature?] = [:]
  private var contents: [String: Content] = [:]

  /// What `stat` says of a file; the same answer for all who ask in this pass.
  mutating func signature(of path: String) -> FileSignature? {
    if let known = signatures[path] { return known }
    let signature = FileSignature(path: path)
    signatures[path] = .some(signature)
    return signature
  }

  /// The file's bytes, as they are after its signature was taken.
  mutating func content(of path: String, isShared: Bool) -> Content {
    _ = signature(of: path)
    if let known = contents[path] { return known }
    let content: Content
    do throws(SystemError) {
      content = .success(try FileContent.read(path, bytesMax: Self.bytesMax))
    } catch {
      content = .failure(error)
    }
    // Private keys are not kept for longer than they are needed.
    if isShared { contents[path] = content }
    return content
  }
}
