extension KnownField {
  /// The known field of this name, whatever its case.
  ///
  /// The name must be a token already: then setting bit 5 lower-cases letters and makes no
  /// other token character into a letter or a hyphen. Constants are the lower-case name as
  /// little-endian words: of names longer than eight bytes the first, the second where there
  /// are more than sixteen, and the last eight bytes, which overlap.
  @inline(__always)
  static func named(_ bytes: Span<UInt8>, at start: Int, count: Int) -> KnownField {
    count <= 8 ? short(bytes, start, count) : long(bytes, start, count)
  }

  @inline(__always)
  private static func short(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> KnownField {
    let word = bytes.lowercasedWord(at: start, count: count)
    switch count {
    case 2:
      // te
      if word == 0x6574 { return .te }
    case 3:
      // via
      if word == 0x61_6976 { return .via }
    case 4:
      // date
      if word == 0x6574_6164 { return .date }
      // host
      if word == 0x7473_6F68 { return .host }
    case 6:
      // cookie
      if word == 0x6569_6B6F_6F63 { return .cookie }
      // expect
      if word == 0x7463_6570_7865 { return .expect }
      // server
      if word == 0x7265_7672_6573 { return .server }
    case 7:
      // trailer
      if word == 0x72_656C_6961_7274 { return .trailer }
      // upgrade
      if word == 0x65_6461_7267_7075 { return .upgrade }
      // referer
      if word == 0x72_6572_6566_6572 { return .referer }
    case 8:
      // location
      if word == 0x6E6F_6974_6163_6F6C { return .location }
    default: break
    }
    return .other
  }

  @inline(__always)
  private static func long(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> KnownField {
    guard count <= 19, let firstWord = bytes.word(at: start),
      let lastWord = bytes.word(at: start &+ count &- 8)
    else { return .other }
    let first = firstWord | Word.bit5
    let last = lastWord | Word.bit5
    switch count {
    case 9:
      // forwarded
      if first == 0x6564_7261_7772_6F66, last == 0x6465_6472_6177_726F { return .forwarded }
    case 10:
      // connection
      if first == 0x6974_6365_6E6E_6F63, last == 0x6E6F_6974_6365_6E6E { return .connection }
      // keep-alive
      if first == 0x696C_612D_7065_656B, last == 0x6576_696C_612D_7065 { return .keepAlive }
      // set-cookie
      if first == 0x6B6F_6F63_2D74_6573, last == 0x6569_6B6F_6F63_2D74 { return .setCookie }
      // user-agent
      if first == 0x6567_612D_7265_7375, last == 0x746E_6567_612D_7265 { return .userAgent }
    case 11:
      // retry-after
      if first == 0x6661_2D79_7274_6572, last == 0x7265_7466_612D_7972 { return .retryAfter }
    case 12:
      // max-forwards
      if first == 0x7772_6F66_2D78_616D, last == 0x7364_7261_7772_6F66 { return .maxForwards }
      // content-type
      if first == 0x2D74_6E65_746E_6F63, last == 0x6570_7974_2D74_6E65 { return .contentType }
      // x-request-id
      if first == 0x7365_7571_6572_2D78, last == 0x6469_2D74_7365_7571 { return .xRequestID }
    case 13:
      // authorization
      if first == 0x7A69_726F_6874_7561, last == 0x6E6F_6974_617A_6972 { return .authorization }
    case 14:
      // content-length
      if first == 0x2D74_6E65_746E_6F63, last == 0x6874_676E_656C_2D74 { return .contentLength }
    case 15:
      // x-forwarded-for
      if first == 0x7261_7772_6F66_2D78, last == 0x726F_662D_6465_6472 { return .xForwardedFor }
    case 16:
      // proxy-connection
      if first == 0x6F63_2D79_786F_7270, last == 0x6E6F_6974_6365_6E6E { return .proxyConnection }
      // x-forwarded-host
      if first == 0x7261_7772_6F66_2D78, last == 0x7473_6F68_2D64_6564 { return .xForwardedHost }
      // x-forwarded-port
      if first == 0x7261_7772_6F66_2D78, last == 0x7472_6F70_2D64_6564 { return .xForwardedPort }
    case 17, 18, 19: return longest(bytes, start, count, first, last)
    default: break
    }
    return .other
  }

  private static func longest(
    _ bytes: Span<UInt8>, _ start: Int, _ count: Int, _ first: UInt64, _ last: UInt64
  ) -> KnownField {
    guard let secondWord = bytes.word(at: start &+ 8) else { return .other }
    return switch (count, first, secondWord | Word.bit5, last) {
    // transfer-encoding
    case (17, 0x7265_6673_6E61_7274, 0x6E69_646F_636E_652D, 0x676E_6964_6F63_6E65): .transferEncoding
    // x-forwarded-proto
    case (17, 0x7261_7772_6F66_2D78, 0x746F_7270_2D64_6564, 0x6F74_6F72_702D_6465): .xForwardedProto
    // proxy-authenticate
    case (18, 0x7561_2D79_786F_7270, 0x6163_6974_6E65_6874, 0x6574_6163_6974_6E65): .proxyAuthenticate
    // proxy-authorization
    case (19, 0x7561_2D79_786F_7270, 0x7461_7A69_726F_6874, 0x6E6F_6974_617A_6972): .proxyAuthorization
    default: .other
    }
  }
}
