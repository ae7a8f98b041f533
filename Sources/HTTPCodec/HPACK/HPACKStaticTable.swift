/// The static table (RFC 7541 appendix A), its lines and entries as those of the dynamic one.
struct HPACKStaticTable: Sendable {
  /// The index of the last entry; the first has index 1.
  static let count = 61

  /// All lines, and behind them bytes that mean nothing.
  private(set) var lines = InlineArray<1536, UInt8>(repeating: 0)
  /// The entry with index 1 comes first.
  private(set) var entries = InlineArray<61, HPACKEntry<FieldTraits>>(
    repeating: HPACKEntry(start: 0, nameCount: 0, valueCount: 0, note: FieldTraits(.regular)))

  fileprivate init() {
    var end = 0
    for index in fields.indices {
      let (name, value) = fields[index]
      let start = end
      for byte in "\(name): \(value)\r\n".utf8 {
        lines[end] = byte
        end += 1
      }
      let traits = FieldTraits.examine(
        lines.span, from: start, nameCount: name.utf8.count, valueCount: value.utf8.count)
      entries[index] = HPACKEntry(
        start: start, nameCount: name.utf8.count, valueCount: value.utf8.count, note: traits)
    }
  }
}

let hpackStaticTable = HPACKStaticTable()

private let fields: [(name: String, value: String)] = [
  (":authority", ""),
  (":method", "GET"),
  (":method", "POST"),
  (":path", "/"),
  (":path", "/index.html"),
  (":scheme", "http"),
  (":scheme", "https"),
  (":status", "200"),
  (":status", "204"),
  (":status", "206"),
  (":status", "304"),
  (":status", "400"),
  (":status", "404"),
  (":status", "500"),
  ("accept-charset", ""),
  ("accept-encoding", "gzip, deflate"),
  ("accept-language", ""),
  ("accept-ranges", ""),
  ("accept", ""),
  ("access-control-allow-origin", ""),
  ("age", ""),
  ("allow", ""),
  ("authorization", ""),
  ("cache-control", ""),
  ("content-disposition", ""),
  ("content-encoding", ""),
  ("content-language", ""),
  ("content-length", ""),
  ("content-location", ""),
  ("content-range", ""),
  ("content-type", ""),
  ("cookie", ""),
  ("date", ""),
  ("etag", ""),
  ("expect", ""),
  ("expires", ""),
  ("from", ""),
  ("host", ""),
  ("if-match", ""),
  ("if-modified-since", ""),
  ("if-none-match", ""),
  ("if-range", ""),
  ("if-unmodified-since", ""),
  ("last-modified", ""),
  ("link", ""),
  ("location", ""),
  ("max-forwards", ""),
  ("proxy-authenticate", ""),
  ("proxy-authorization", ""),
  ("range", ""),
  ("referer", ""),
  ("refresh", ""),
  ("retry-after", ""),
  ("server", ""),
  ("set-cookie", ""),
  ("strict-transport-security", ""),
  ("transfer-encoding", ""),
  ("user-agent", ""),
  ("vary", ""),
  ("via", ""),
  ("www-authenticate", ""),
]
