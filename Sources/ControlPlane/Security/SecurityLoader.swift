import DataPlane
import Resources
import Runtime
import TLS

/// Reads the files that a configuration names for TLS, and makes of them what workers need.
///
/// What has not changed stays the same object, so that workers do nothing for it. Blocks while files
/// are read: not on a worker.
struct SecurityLoader {
  enum Reading {
    /// Files that `stat` says are as before are not read.
    case changed
    /// All files.
    case all
  }

  /// What is done where files cannot be used.
  enum Failing {
    /// The outcome is not to be used.
    case refuses
    /// What was made of these files before stays in use. For files that change while the
    /// configuration does not.
    case keepsOld
  }

  struct Outcome {
    var material: SecurityMaterial
    /// What was found to be wrong.
    var problems: [SecurityProblem]
    /// What was made anew of files that hold something else than before.
    var renewed: [MaterialKey]
    /// All files that the configuration names, and how they were before they were read.
    var files: [String: FileSignature?]
  }

  private let configuration: Configuration
  private let previous: SecurityMaterial
  private let reading: Reading
  private let failing: Failing
  private let needs: [MaterialNeed]
  private var pass = FilePass()
  private var items: [MaterialKey: MaterialItem] = [:]
  private var problems: [SecurityProblem] = []

  static func load(
    _ configuration: Configuration, previous: SecurityMaterial = SecurityMaterial(), reading: Reading,
    failing: Failing, at now: ContinuousClock.Instant = .now
  ) -> Outcome {
    var loader = SecurityLoader(configuration, previous, reading, failing)
    loader.readItems()
    loader.checkCertificates()
    let items = loader.items
    var assembly = SecurityAssembly(configuration, previous: previous, items: items, at: now)
    assembly.assemble()
    let renewed = loader.needs.map(\.key).filter { key in
      guard let old = previous.items[key], let new = items[key] else { return false }
      return !new.value.isSame(as: old.value)
    }
    return Outcome(
      material: assembly.material, problems: loader.problems + assembly.problems, renewed: renewed,
      files: loader.pass.signatures)
  }

  private init(
    _ configuration: Configuration, _ previous: SecurityMaterial, _ reading: Reading, _ failing: Failing
  ) {
    self.configuration = configuration
    self.previous = previous
    self.reading = reading
    self.failing = failing
    needs = MaterialNeed.all(of: configuration)
  }

  // MARK: Files

  private mutating func readItems() {
    for need in needs { items[need.key] = item(need) }
  }

  /// What is made of the need's files; nil where there is nothing.
  private mutating func item(_ need: MaterialNeed) -> MaterialItem? {
    let old = previous.items[need.key]
    let signatures = need.key.paths.map { pass.signature(of: $0) }
    if reading == .changed, let old, old.signatures == signatures {
      if failing == .keepsOld || old.problem == nil { return old }
    }
    var found: [SecurityProblem] = []
    if let contents = contents(need, &found) {
      let hashes = contents.map { FileContent.hash($0) }
      if let old, old.hashes == hashes {
        return MaterialItem(value: old.value, signatures: signatures, hashes: hashes, problem: nil)
      }
      do throws(MaterialReader.Failure) {
        let value = try MaterialReader.make(need.key, contents)
        return MaterialItem(value: value, signatures: signatures, hashes: hashes, problem: nil)
      } catch {
        found.append(SecurityProblem(place: need.place, paths: error.paths, message: error.message))
      }
    }
    problems += found
    guard failing == .keepsOld, var old else { return nil }
    old.signatures = signatures
    old.problem = found.first
    return old
  }

  /// The content of all files; nil where one cannot be read.
  private mutating func contents(_ need: MaterialNeed, _ found: inout [SecurityProblem]) -> [[UInt8]]? {
    var isShared = false
    if case .trust = need.key { isShared = true }
    var contents: [[UInt8]] = []
    for path in need.key.paths {
      switch pass.content(of: path, isShared: isShared) {
      case .success(let content): contents.append(content)
      case .failure(let error):
        found.append(
          SecurityProblem(place: need.place, paths: [path], message: MaterialReader.message(for: error)))
      }
    }
    return found.isEmpty ? contents : nil
  }

  // MARK: Certificates among each other

  /// Checks what can be seen only when files have been read: hosts that are in the certificates.
  private mutating func checkCertificates() {
    while true {
      let faults = faults()
      problems += faults.map(\.problem)
      guard failing == .keepsOld else { return }
      var hasReverted = false
      for fault in faults {
        for index in fault.positions where revert(index, fault.problem) { hasReverted = true }
      }
      // Those before are looked at again, together with those that stay.
      guard hasReverted else { return }
    }
  }

  private func faults() -> [(positions: [Int], problem: SecurityProblem)] {
    let specs = configuration.certificates
    let certificates = specs.map { items[MaterialKey($0)]?.value.certificate }
    var faults: [(positions: [Int], problem: SecurityProblem)] = []
    for (index, certificate) in certificates.enumerated() {
      guard let certificate, certificate.hosts.isEmpty, !specs[index].isDefault else { continue }
      let problem = SecurityProblem(
        place: MaterialNeed.place(of: specs[index], at: index), paths: [specs[index].chainPath],
        message: "no host is in the certificate (subjectAltName), so no client would see it: "
          + "write hosts, or default: true")
      faults.append(([index], problem))
    }
    return faults
      + CertificateOverlap.find(specs, certificates).map { ([$0.first, $0.second], $0.problem) }
  }

  /// Takes back what a certificate's files have changed.
  /// - Returns: false where nothing has changed.
  private mutating func revert(_ index: Int, _ problem: SecurityProblem) -> Bool {
    let key = MaterialKey(configuration.certificates[index])
    guard let new = items[key], var old = previous.items[key], !new.value.isSame(as: old.value) else {
      return false
    }
    old.signatures = new.signatures
    old.problem = problem
    items[key] = old
    return true
  }
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
