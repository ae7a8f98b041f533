import Resources
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
  var problem: ResourceProblem?
}

extension MaterialValue {
  var certificate: TLSCertificate? {
    if case .certificate(let certificate) = self { certificate } else { nil }
  }
  var trust: TLSTrust? { if case .trust(let trust) = self { trust } else { nil } }
  var ticketKeys: TicketKeys? { if case .ticketKeys(let keys) = self { keys } else { nil } }

  /// Whether it is the same object.
  func isSame(as other: MaterialValue) -> Bool {
    switch (self, other) {
    case (.certificate(let a), .certificate(let b)): a === b
    case (.trust(let a), .trust(let b)): a === b
    case (.ticketKeys(let a), .ticketKeys(let b)): a === b
    default: false
    }
  }
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
