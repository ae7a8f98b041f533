/// What a server and a client of WebSocket say (RFC 6455).
public enum SimulatedWebSocket {
  /// The bytes of the answer of an endpoint that has understood the key (§4.2.2).
  public static func acceptance(of request: SimulatedRequest) -> [UInt8] {
    let key = request["sec-websocket-key"] ?? ""
    let accept = base64(sha1(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    let lines = [
      "HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade",
      "Sec-WebSocket-Accept: \(accept)",
    ]
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
  }

  /// A whole binary message in one frame (§5.2); a client's has a mask, here of zeros.
  public static func frame(_ payload: [UInt8], isMasked: Bool) -> [UInt8] {
    let mask: UInt8 = isMasked ? 0x80 : 0
    var frame: [UInt8] = [0x82]
    switch payload.count {
    case ..<126: frame.append(mask | UInt8(payload.count))
    case ..<65_536:
      frame += [mask | 126, UInt8(payload.count >> 8), UInt8(truncatingIfNeeded: payload.count)]
    default:
      frame.append(mask | 127)
      for shift in stride(from: 56, through: 0, by: -8) {
        frame.append(UInt8(truncatingIfNeeded: payload.count >> shift))
      }
    }
    return frame + (isMasked ? [0, 0, 0, 0] : []) + payload
  }
}

/// SHA-1 (FIPS 180-4 §6.1), which RFC 6455 asks for.
private func sha1(_ message: [UInt8]) -> [UInt8] {
  var bytes = message + [0x80]
  while bytes.count % 64 != 56 { bytes.append(0) }
  let bits = message.count * 8
  for shift in stride(from: 56, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
  var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
  func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 { word << count | word >> (32 - count) }
  for start in stride(from: 0, to: bytes.count, by: 64) {
    var words = (0..<16).map { index in
      (0..<4).reduce(UInt32(0)) { $0 << 8 | UInt32(bytes[start + index * 4 + $1]) }
    }
    for index in 16..<80 {
      words.append(rotate(words[index - 3] ^ words[index - 8] ^ words[index - 14] ^ words[index - 16], 1))
    }
    var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
    for index in 0..<80 {
      let (choice, constant): (UInt32, UInt32) =
        switch index / 20 {
        case 0: (b & c | ~b & d, 0x5A82_7999)
        case 1: (b ^ c ^ d, 0x6ED9_EBA1)
        case 2: (b & c | b & d | c & d, 0x8F1B_BCDC)
        default: (b ^ c ^ d, 0xCA62_C1D6)
        }
      (a, b, c, d, e) = (rotate(a, 5) &+ choice &+ e &+ constant &+ words[index], a, rotate(b, 30), c, d)
    }
    for (index, value) in [a, b, c, d, e].enumerated() { state[index] = state[index] &+ value }
  }
  return state.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) } }
}

private func base64(_ bytes: [UInt8]) -> String {
  let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  var text = ""
  for start in stride(from: 0, to: bytes.count, by: 3) {
    let group = Array(bytes[start..<min(start + 3, bytes.count)])
    let word = (group + [0, 0]).prefix(3).reduce(0) { $0 << 8 | Int($1) }
    for index in 0..<4 { text.append(index <= group.count ? digits[word >> (18 - index * 6) & 63] : "=") }
  }
  return text
}
