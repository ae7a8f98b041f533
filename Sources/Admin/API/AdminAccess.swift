import Foundation

/// Who may use the admin API, as the configuration says now.
public enum AdminAccess: Sendable {
  /// No token is configured: whoever reaches the address. Browsers are kept from lending others' pages
  /// this reach.
  case open
  case token(AdminToken)
  /// A token is configured and cannot be read, and why: nobody is let in.
  case lost(String)

  /// What a token's file says now. Reads the file: it is small, and so a new token counts at once.
  public static func file(_ path: String) -> AdminAccess {
    do {
      let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      defer { try? handle.close() }
      let content = try handle.read(upToCount: AdminToken.bytesMax + 1) ?? Data()
      guard let token = AdminToken(content) else {
        return .lost("\(path) does not hold a token: \(AdminToken.rule)")
      }
      return .token(token)
    } catch {
      return .lost("\(path) cannot be read: \(reason(of: error))")
    }
  }

  private static func reason(of error: any Error) -> String {
    let cause = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError ?? error as NSError
    guard cause.domain == NSPOSIXErrorDomain else {
      return (error as? CocoaError)?.code == .fileReadNoSuchFile
        ? "No such file or directory" : error.localizedDescription
    }
    return unsafe String(cString: strerror(Int32(cause.code)))  // static text, copied at once
  }
}

/// A bearer token (RFC 6750), which lets its holder change everything.
public struct AdminToken: Sendable {
  static let bytesMin = 16
  static let bytesMax = 4_096
  static let rule = "one line of \(bytesMin) to \(bytesMax) visible ASCII characters"

  private let bytes: [UInt8]

  /// Nil unless it is ``rule``; white space around it does not count.
  public init?(_ content: some Sequence<UInt8>) {
    let content = Array(content)
    let isSpace = { (byte: UInt8) in [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
    guard let first = content.firstIndex(where: { !isSpace($0) }),
      let last = content.lastIndex(where: { !isSpace($0) })
    else { return nil }
    bytes = Array(content[first...last])
    guard (Self.bytesMin...Self.bytesMax).contains(bytes.count),
      bytes.allSatisfy({ (0x21...0x7E).contains($0) })
    else { return nil }
  }

  /// Takes as long wherever the two differ, so that the time tells nothing but the length.
  func matches(_ other: some Collection<UInt8>) -> Bool {
    var difference = UInt8(bytes.count == other.count ? 0 : 1)
    for (own, given) in zip(bytes, other) { difference |= own ^ given }
    return difference == 0
  }
}
