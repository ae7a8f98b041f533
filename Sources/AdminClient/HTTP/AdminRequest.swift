/// A question to the admin API, as it goes over the wire.
struct AdminRequest: Sendable {
  enum Method: String, Sendable {
    case get = "GET"
    case post = "POST"
    case delete = "DELETE"
  }

  var method: Method
  /// Path and query, encoded.
  var target: String
  var fields: [(name: String, value: String)] = []
  var content: [UInt8]?

  init(_ method: Method, _ path: String, query: [(name: String, value: String?)] = []) {
    self.method = method
    let pairs = query.compactMap { name, value in value.map { name + "=" + Self.encode($0) } }
    target = pairs.isEmpty ? path : path + "?" + pairs.joined(separator: "&")
  }

  /// With JSON as the content.
  init(
    _ method: Method, _ path: String, query: [(name: String, value: String?)] = [], json: JSONWriter
  ) {
    self.init(method, path, query: query)
    content = json.bytes
    fields.append(("Content-Type", "application/json"))
  }

  /// Everything but unreserved characters (RFC 3986 §2.3) is escaped: one segment, or one value.
  static func encode(_ text: String) -> String {
    let digits = Array("0123456789ABCDEF")
    return text.utf8.reduce(into: "") { encoded, byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        encoded.unicodeScalars.append(Unicode.Scalar(byte))
      default: encoded += "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
      }
    }
  }
}

/// An answer, all of it.
struct AdminAnswer: Sendable {
  var status: Int
  /// Without parameters, lower case.
  var mediaType: String
  var content: [UInt8]
}

/// What one exchange may take.
struct ExchangeLimits: Sendable {
  /// From nothing to a connection.
  var connectTimeout = Duration.seconds(5)
  /// From the beginning to the end of the answer.
  var timeout = Duration.seconds(30)
  /// What the JSON reader takes: a page of 1,000 certificates with long chains has a fifth of it.
  var contentBytesMax = 64 << 20
}
