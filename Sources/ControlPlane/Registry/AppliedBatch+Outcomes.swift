import Resources

/// A resource has a name, whatever its kind.
protocol NamedResource: Sendable {
  static var kind: ResourceKind { get }
  var name: String { get }
  /// What its TLS is made of.
  var materialNeeds: [MaterialNeed] { get }
}

extension Listener: NamedResource {
  static var kind: ResourceKind { .listeners }
  var materialNeeds: [MaterialNeed] { MaterialNeed.all(of: self) }
}
extension Service: NamedResource {
  static var kind: ResourceKind { .services }
  var materialNeeds: [MaterialNeed] { MaterialNeed.all(of: self) }
}
extension CertificateSpec: NamedResource {
  static var kind: ResourceKind { .certificates }
  var materialNeeds: [MaterialNeed] { MaterialNeed.all(of: self) }
}
extension Route: NamedResource {
  static var kind: ResourceKind { .routes }
  var materialNeeds: [MaterialNeed] { [] }
}

extension Consumer: NamedResource {
  static var kind: ResourceKind { .consumers }
  var materialNeeds: [MaterialNeed] { [] }
}
extension GlobalPlugin: NamedResource {
  static var kind: ResourceKind { .plugins }
  var materialNeeds: [MaterialNeed] { [] }
}

extension AppliedBatch.Change where Value: NamedResource {
  var name: String { (after ?? before)?.value.name ?? "" }

  fileprivate var outcome: TransactionReceipt.Outcome {
    before == nil ? .created : after == nil ? .deleted : .replaced
  }

  fileprivate var id: ResourceID { ResourceID(Value.kind, name) }
  fileprivate var owner: ResourceOwner? { (after ?? before)?.owner }
  fileprivate var namesFiles: Bool {
    [before, after].contains { $0.map { !$0.value.materialNeeds.isEmpty } ?? false }
  }
}

extension AppliedBatch {
  /// What became of each resource; those that did not change are not among them.
  var outcomes: [ResourceID: TransactionReceipt.Outcome] { outcomes { _ in true } }

  func outcomes(ofOwner owner: ResourceOwner) -> [ResourceID: TransactionReceipt.Outcome] {
    outcomes { $0 == owner }
  }

  private func outcomes(
    where includes: (ResourceOwner) -> Bool
  ) -> [ResourceID: TransactionReceipt.Outcome] {
    var outcomes: [ResourceID: TransactionReceipt.Outcome] = [:]
    func add<Value: NamedResource>(_ changes: [Change<Value>]) {
      for change in changes where change.owner.map(includes) == true { outcomes[change.id] = change.outcome }
    }
    add(listeners)
    add(services)
    add(certificates)
    add(routes)
    add(consumers)
    add(plugins)
    return outcomes
  }

  /// Whether any resource names files for TLS, or did.
  var namesFiles: Bool {
    listeners.contains(where: \.namesFiles) || services.contains(where: \.namesFiles)
      || certificates.contains(where: \.namesFiles)
  }
}
