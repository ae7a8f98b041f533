/// A field name that is known beforehand, with what an encoder wants to know of it.
///
/// Made once, for fields that the gateway adds by itself.
public struct HPACKName: Sendable {
  /// The longest name, in bytes.
  public static let bytesMax = 48

  private(set) var text = InlineArray<48, UInt8>(repeating: 0)
  let count: Int
  let hash: UInt64
  /// The index in the static table of an entry with this name, or 0.
  let staticIndex: Int

  /// - Parameter name: a token of at most ``bytesMax`` bytes without upper-case letters, or a
  ///   pseudo-field.
  public init(_ name: String) {
    precondition(name.utf8.count <= Self.bytesMax)
    count = name.utf8.count
    var end = 0
    for byte in name.utf8 {
      text[end] = byte
      end += 1
    }
    let range = ByteRange(start: 0, count: count)
    hash = FieldHash.name(text.span, range)
    staticIndex = hpackStaticNames.index(text.span, range, hash: hash)
  }

  public static let method = HPACKName(":method")
  public static let scheme = HPACKName(":scheme")
  public static let authority = HPACKName(":authority")
  public static let path = HPACKName(":path")
  public static let `protocol` = HPACKName(":protocol")
  public static let status = HPACKName(":status")
  public static let contentLength = HPACKName("content-length")
  public static let contentType = HPACKName("content-type")
  public static let cookie = HPACKName("cookie")
  public static let date = HPACKName("date")
  public static let expect = HPACKName("expect")
  public static let forwarded = HPACKName("forwarded")
  public static let location = HPACKName("location")
  public static let maxForwards = HPACKName("max-forwards")
  public static let server = HPACKName("server")
  public static let setCookie = HPACKName("set-cookie")
  public static let te = HPACKName("te")
  public static let via = HPACKName("via")
  public static let xForwardedFor = HPACKName("x-forwarded-for")
  public static let xForwardedHost = HPACKName("x-forwarded-host")
  public static let xForwardedPort = HPACKName("x-forwarded-port")
  public static let xForwardedProto = HPACKName("x-forwarded-proto")
  public static let xRequestID = HPACKName("x-request-id")
}

/// Finds the entries of the static table by their names.
struct HPACKStaticNames: Sendable {
  /// By hash: the index of the first entry with that name, or 0. Places that are taken already are
  /// passed over when it is made, and when it is searched.
  private var places = InlineArray<256, UInt8>(repeating: 0)

  fileprivate init() {
    let lines = hpackStaticTable.lines.span
    for index in 1...HPACKStaticTable.count {
      let entry = hpackStaticTable.entries[index - 1]
      let name = ByteRange(start: Int(entry.start), count: Int(entry.nameCount))
      let hash = FieldHash.name(lines, name)
      if self.index(lines, name, hash: hash) != 0 { continue }
      var place = Int(truncatingIfNeeded: hash) & 255
      while places[place] != 0 { place = (place + 1) & 255 }
      places[place] = UInt8(index)
    }
  }

  /// The index of the first entry with a name, whatever its case, or 0.
  func index(_ bytes: Span<UInt8>, _ name: ByteRange, hash: UInt64) -> Int {
    var place = Int(truncatingIfNeeded: hash) & 255
    // There are more places than names.
    while places[place] != 0 {
      let index = Int(places[place])
      let entry = hpackStaticTable.entries[index &- 1]
      if entry.nameCount == name.count,
        bytes.equalsIgnoringCase(name, lowercase: hpackStaticTable.lines.span, at: Int(entry.start))
      {
        return index
      }
      place = (place &+ 1) & 255
    }
    return 0
  }
}

let hpackStaticNames = HPACKStaticNames()
