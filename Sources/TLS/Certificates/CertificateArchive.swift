/// A certificate that was read and checked, as bytes: the form that it is kept in, in memory and in a store.
/// Nothing of it is secret.
///
/// Numbers are little-endian. From the start: version, kind of key, number of hosts (2 bytes), bytes of the
/// chain, of the OCSP response and of the hosts (4 each), three times (8 each), a checksum of everything
/// else (8). Then, for each host, where it ends among the hosts (4), the hosts, the chain, the response.
struct CertificateArchive {
  private static let version: UInt8 = 1
  private static let headBytes = 48
  private static let checksumAt = 40

  let bytes: [UInt8]
  private var hostCount: Int { Int(number(at: 2, count: 2)) }
  private var chainBytes: Int { Int(number(at: 4, count: 4)) }
  private var ocspBytes: Int { Int(number(at: 8, count: 4)) }
  private var hostBytes: Int { Int(number(at: 12, count: 4)) }

  private var hostsAt: Int { Self.headBytes + 4 * hostCount }
  private var chainAt: Int { hostsAt + hostBytes }
  private var ocspAt: Int { chainAt + chainBytes }

  init(
    keyKind: TLSCertificate.KeyKind, hosts: [String], notBefore: Int64, notAfter: Int64,
    ocspNotAfter: Int64, chain: Span<UInt8>, ocsp: Span<UInt8>
  ) {
    let hostBytes = hosts.reduce(0) { $0 + $1.utf8.count }
    let total = Self.headBytes + 4 * hosts.count + hostBytes + chain.count + ocsp.count
    var bytes: [UInt8] = []
    bytes.reserveCapacity(total)
    func append(_ number: Int64, count: Int) {
      for index in 0..<count { bytes.append(UInt8(truncatingIfNeeded: number >> Int64(8 * index))) }
    }
    bytes += [Self.version, keyKind.rawValue]
    append(Int64(hosts.count), count: 2)
    append(Int64(chain.count), count: 4)
    append(Int64(ocsp.count), count: 4)
    append(Int64(hostBytes), count: 4)
    append(notBefore, count: 8)
    append(notAfter, count: 8)
    append(ocspNotAfter, count: 8)
    append(0, count: 8)
    var end = 0
    for host in hosts {
      end += host.utf8.count
      append(Int64(end), count: 4)
    }
    for host in hosts { bytes += host.utf8 }
    for index in chain.indices { bytes.append(chain[index]) }
    for index in ocsp.indices { bytes.append(ocsp[index]) }
    let checksum = Self.checksum(bytes.span)
    for index in 0..<8 { bytes[Self.checksumAt + index] = UInt8(truncatingIfNeeded: checksum >> (8 * index)) }
    self.bytes = bytes
  }

  /// What was archived before.
  init(_ bytes: [UInt8]) throws(CertificateError) {
    self.bytes = bytes
    guard bytes.count >= Self.headBytes else {
      throw CertificateError("the stored certificate is damaged: it is cut short")
    }
    guard bytes[0] == Self.version else {
      throw CertificateError(
        "the stored certificate is of version \(bytes[0]), which this program does not know")
    }
    guard Self.checksum(bytes.span) == number(at: Self.checksumAt, count: 8) else {
      throw CertificateError("the stored certificate is damaged: its checksum is wrong")
    }
    try checkLayout()
  }

  /// Whether every place that is computed from the head lies within the bytes.
  private func checkLayout() throws(CertificateError) {
    var isSound = TLSCertificate.KeyKind(rawValue: bytes[1]) != nil && chainBytes > 0
    isSound = isSound && ocspAt + ocspBytes == bytes.count
    var end = 0
    if isSound {
      for host in 0..<hostCount {
        let next = hostEnd(host)
        isSound = isSound && next > end
        end = next
      }
    }
    guard isSound && end == hostBytes else {
      throw CertificateError("the stored certificate is damaged: its parts do not fit")
    }
  }

  /// FNV-1a: it is to tell accidents, of which the file's owner would not like to see one in a handshake.
  private static func checksum(_ bytes: Span<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for index in 0..<checksumAt { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01b3 }
    for index in headBytes..<bytes.count { hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01b3 }
    return hash
  }

  private func number(at start: Int, count: Int) -> UInt64 {
    var number: UInt64 = 0
    for index in (0..<count).reversed() { number = number << 8 | UInt64(bytes[start + index]) }
    return number
  }

  private func hostEnd(_ host: Int) -> Int { Int(number(at: Self.headBytes + 4 * host, count: 4)) }

  // MARK: What it says

  var keyKind: TLSCertificate.KeyKind { TLSCertificate.KeyKind(rawValue: bytes[1]) ?? .rsa }
  var notBefore: Int64 { Int64(bitPattern: number(at: 16, count: 8)) }
  var notAfter: Int64 { Int64(bitPattern: number(at: 24, count: 8)) }
  var ocspNotAfter: Int64 { Int64(bitPattern: number(at: 32, count: 8)) }

  var hostIndices: Range<Int> { 0..<hostCount }

  @_lifetime(borrow self)
  func host(_ index: Int) -> Span<UInt8> {
    let start = index == 0 ? 0 : hostEnd(index - 1)
    return bytes.span.extracting(hostsAt + start..<hostsAt + hostEnd(index))
  }

  /// DER, one certificate after the other.
  var chain: Span<UInt8> {
    @_lifetime(borrow self)
    get { bytes.span.extracting(chainAt..<chainAt + chainBytes) }
  }

  /// Empty where there is none.
  var ocsp: Span<UInt8> {
    @_lifetime(borrow self)
    get { bytes.span.extracting(ocspAt..<ocspAt + ocspBytes) }
  }
}
