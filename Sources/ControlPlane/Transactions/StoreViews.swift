import Resources
import Store

/// What the store remembers, as the admin API shows it: without secrets.
struct StoreViews: Sendable {
  let link: StoreLink

  func history(before: UInt64?, limit: Int) throws(StoreError) -> [ChangeSummary] {
    try link.store.history(before: before, limit: limit).map { revision throws(StoreError) in
      let changes = try link.store.transaction(revision.revision, limit: ChangeSummary.resourcesMax)?.changes
      return summary(revision, changes ?? [])
    }
  }

  func change(_ revision: UInt64) throws(StoreError) -> ChangeRecord? {
    guard let found = try link.store.transaction(revision) else { return nil }
    let shown = found.changes.prefix(ChangeSummary.resourcesMax)
    return ChangeRecord(
      summary: summary(found.revision, Array(shown)), differences: found.changes.compactMap(difference))
  }

  /// - Returns: nil where the history does not reach that far.
  func difference(from: UInt64, to: UInt64) throws(StoreError) -> [ResourceDifference]? {
    do throws(StoreError) {
      return try link.store.changes(from: from, to: to).compactMap(difference)
    } catch {
      if case .unknownRevision = error.reason { return nil }
      throw error
    }
  }

  func auditTrail(before: Int64?, limit: Int) throws(StoreError) -> [AuditEntry] {
    try link.store.auditTrail(before: before.map { UInt64(clamping: $0) }, limit: limit).map { entry in
      AuditEntry(
        number: Int64(clamping: entry.id), milliseconds: entry.time, actor: entry.actor,
        remote: entry.remote, action: entry.action,
        outcome: entry.revision == nil ? "refused" : "applied", revision: entry.revision,
        detail: entry.outcome)
    }
  }

  private func summary(_ revision: StoreRevision, _ changes: [StoreChange]) -> ChangeSummary {
    ChangeSummary(
      revision: revision.revision, milliseconds: revision.time, owner: .store, actor: revision.actor,
      message: revision.message ?? rollbackText(revision.kind), resourceCount: revision.operationCount,
      resources: changes.compactMap { change in
        ResourceKind(rawValue: change.kind).map { kind in
          ChangeSummary.Resource(
            id: ResourceID(kind, change.name),
            outcome: change.before == nil ? .created : change.after == nil ? .deleted : .replaced)
        }
      })
  }

  private func rollbackText(_ kind: StoreTransaction.Kind) -> String? {
    if case .rollback(let revision) = kind { "rollback to \(revision)" } else { nil }
  }

  private func difference(_ change: StoreChange) -> ResourceDifference? {
    guard let kind = ResourceKind(rawValue: change.kind) else { return nil }
    let id = ResourceID(kind, change.name)
    return ResourceDifference(
      id: id, before: change.before.map { json(id, $0) }, after: change.after.map { json(id, $0) })
  }

  /// As GET shows it, or as it was sent where it can no longer be read.
  private func json(_ id: ResourceID, _ version: StoredVersion) -> String {
    guard let prepared = try? link.prepare(id, version), let result = prepared.result else {
      return version.content.document
    }
    var resource = result.resource
    if case .certificate(var spec) = resource, let certificate = result.certificate {
      spec.pem = CertificatePEM(chain: Array(certificate.chainPEM.utf8), key: [])
      resource = .certificate(spec)
    }
    return resource.json
  }
}
