import HTTPCodec

/// Paths of routes: they are compared with normalised request paths, so they have to be normal.
enum PathText {
  /// Why a text is not a path, and what would be right.
  struct Failure: Error, Equatable {
    var message: String
    var hint: String?
  }

  /// Checks that `text` begins with `/` and is in the form to which request paths are brought.
  static func check(_ text: String) throws(Failure) {
    let shown = quoted(text)
    guard text.utf8.first == 0x2F else {
      throw Failure(message: "\(shown) does not begin with \"/\"", hint: "write \(quoted("/" + text))")
    }
    if text.contains("?") || text.contains("#") {
      throw Failure(
        message: "\(shown) has a query or fragment", hint: "match the query with query: {NAME: VALUE}")
    }
    // A request holds such characters encoded; one that holds them as they are is refused.
    let encoded = Array(text.utf8).flatMap { byte in
      byte <= 0x20 || byte >= 0x7F ? Array("%\(byte < 16 ? "0" : "")\(String(byte, radix: 16))".utf8) : [byte]
    }
    var canonical = encoded
    do throws(HTTP1Error) {
      _ = try PathNormaliser.normalise(encoded.span, into: &canonical)
    } catch {
      throw failure(of: shown, error)
    }
    if canonical.elementsEqual(text.utf8) { return }
    throw Failure(
      message: "\(shown) is not normalised and would never match",
      hint: "write \(quoted(String(decoding: canonical, as: UTF8.self)))")
  }

  private static func failure(of shown: String, _ error: HTTP1Error) -> Failure {
    switch error {
    case .pathAboveRoot: Failure(message: "\(shown) leads above the root", hint: "remove the \"..\"")
    case .invalidPercentEncoding, .nullInPath:
      Failure(
        message: "\(shown) has a \"%\" without two hexadecimal digits, or %00", hint: "a \"%\" itself is %25")
    default: Failure(message: "\(shown) is not a path: \(error)", hint: nil)
    }
  }
}

/// `text` for a message: in quotes, control characters escaped, cut to a bearable length.
func quoted(_ text: String) -> String {
  var shown = "\""
  for scalar in text.unicodeScalars.prefix(120) {
    switch scalar {
    case "\"": shown += "\\\""
    case "\\": shown += "\\\\"
    case "\n": shown += "\\n"
    case "\t": shown += "\\t"
    case _ where scalar.value < 0x20 || scalar.value == 0x7F:
      shown += "\\x" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
    default: shown.unicodeScalars.append(scalar)
    }
  }
  return shown + (text.unicodeScalars.count > 120 ? "…\"" : "\"")
}
