/// The token that a command shows, from where it was given.
public enum AdminTokenText {
  static let bytesMax = 4_096

  /// An option comes before a file, and both before the environment; nil where there is none.
  public static func read(
    text: String?, file: String?, environment: String?
  ) throws(ClientFailure) -> String? {
    if let text { return try checked(text, from: "--token") }
    if let file {
      let bytes = try DocumentFiles.bytes(of: file, bytesMax: bytesMax)
      return try checked(String(decoding: bytes, as: UTF8.self), from: file)
    }
    guard let environment, !environment.isEmpty else { return nil }
    return try checked(environment, from: "PENSTOCK_ADMIN_TOKEN")
  }

  /// Without white space around it. The token itself stays out of errors.
  private static func checked(_ text: String, from source: String) throws(ClientFailure) -> String {
    let isVisible = { (byte: UInt8) in (0x21...0x7E).contains(byte) }
    let bytes = text.utf8.drop { !isVisible($0) }
    let token = bytes.prefix(while: isVisible)
    guard !token.isEmpty, bytes.dropFirst(token.count).allSatisfy({ [0x20, 0x09, 0x0A, 0x0D].contains($0) })
    else {
      throw .usage("\(source): a token is one line of visible ASCII characters")
    }
    return String(Substring(token))
  }
}
