import Resources
import Store
import TLS

/// What a transaction of the admin API needs of the resources as they are when its turn comes.
extension Registry {
  /// Completes what depends on the resources as they are: patches, and certificates without their key.
  ///
  /// - Parameter isRollback: what was left out may stay so.
  func complete(
    _ operations: [PreparedOperation], isRollback: Bool
  ) throws(TransactionRefusal) -> [PreparedOperation] {
    var completed: [PreparedOperation] = []
    completed.reserveCapacity(operations.count)
    var problems: [ResourceProblem] = []
    for (index, operation) in operations.enumerated() {
      do throws(TransactionRefusal) {
        completed.append(try complete(operation, isRollback))
      } catch {
        // What cannot be answered with the list of everything that is wrong is answered at once.
        guard error.reason == .invalid else { throw error }
        problems += error.problems.map { problem in
          var problem = problem
          problem.operation = operations.count == 1 ? nil : index
          return problem
        }
      }
    }
    guard problems.isEmpty else { throw TransactionRefusal(.invalid, problems) }
    return completed
  }

  private func complete(
    _ operation: PreparedOperation, _ isRollback: Bool
  ) throws(TransactionRefusal) -> PreparedOperation {
    let id = operation.id
    let item = catalogue.item(id)
    let leftOut = unserved[id]
    let isDeletion = operation.result == nil && operation.patch == nil
    // What the store has beside a file's resource of the same name can be taken out of the store.
    if let item, item.owner != .store, leftOut == nil || !(isDeletion || isRollback) {
      throw TransactionRefusal(
        .notOwned,
        [
          ResourceProblem(
            id, "\(item.owner.description) owns this \(id.kind.singular)", hint: "change it there")
        ])
    }
    let revision = leftOut?.revision ?? item?.revision
    try check(operation.condition, id, revision)
    guard revision != nil || operation.result != nil else {
      throw TransactionRefusal(.notFound, [ResourceProblem(id, "there is no such \(id.kind.singular)")])
    }
    var completed = operation
    if let patch = operation.patch {
      let old = try document(of: id)
      let body: ResourceBody
      do throws(ResourceProblem) {
        body = try old.merged(with: patch).named(id)
      } catch {
        throw TransactionRefusal(.invalid, [error])
      }
      let reader = try requireStore().reader
      do throws(ResourceProblems) {
        completed.result = try reader.read(id, body)
      } catch {
        throw TransactionRefusal(.invalid, error.problems)
      }
    }
    if completed.result?.lacksKey == true { try reuseKey(of: id, &completed) }
    return completed
  }

  private func check(
    _ condition: ResourceOperation.Condition?, _ id: ResourceID, _ revision: UInt64?
  ) throws(TransactionRefusal) {
    let problem: String? =
      switch condition {
      case nil: nil
      case .exists: revision == nil ? "it does not exist" : nil
      case .isAbsent: revision != nil ? "it exists already" : nil
      case .revision(let wanted):
        if let revision {
          wanted.contains(revision) ? nil : "it has changed: its revision is \(revision) now"
        } else {
          "it does not exist"
        }
      }
    if let problem { throw TransactionRefusal(.conditionFailed, [ResourceProblem(id, problem)]) }
  }

  /// The document as it was sent, with a certificate's text.
  private func document(of id: ResourceID) throws(TransactionRefusal) -> ResourceBody {
    let link = try requireStore()
    let stored: StoredResource?
    do throws(StoreError) {
      stored = try link.store.resource(id.kind.rawValue, id.name)
    } catch {
      throw TransactionRefusal(.storeUnavailable, [ResourceProblem(id, error.description)])
    }
    guard let stored else {
      throw TransactionRefusal(.notFound, [ResourceProblem(id, "there is no such \(id.kind.singular)")])
    }
    do throws(ResourceProblem) {
      let body = try ResourceBody(json: Array(stored.content.document.utf8))
      guard id.kind == .certificates, let certificate = certificate(named: id.name) else { return body }
      return body.adding("certificate", certificate.chainPEM)
    } catch {
      throw TransactionRefusal(.storeUnavailable, [error])
    }
  }

  /// Who sends a certificate back as it was read has not got its key.
  private func reuseKey(of id: ResourceID, _ operation: inout PreparedOperation) throws(TransactionRefusal) {
    guard var result = operation.result, case .certificate(var spec) = result.resource else { return }
    guard let known = certificate(named: id.name),
      spec.contentHash == ContentHash.of(Array(known.chainPEM.utf8))
    else {
      throw TransactionRefusal(
        .invalid,
        [
          ResourceProblem(
            id, field: "key", "\"key\" is missing",
            hint: "it can be left out only where the certificate stays the same")
        ])
    }
    let certificate: TLSCertificate
    do throws(CertificateError) {
      certificate = try known.serving(hosts: spec.hosts.isEmpty ? nil : spec.hosts)
    } catch {
      throw TransactionRefusal(.invalid, [ResourceProblem(id, field: "hosts", error.description)])
    }
    spec.contentHash = certificate.contentHash
    result.certificate = certificate
    result.resource = .certificate(spec)
    result.lacksKey = false
    operation.result = result
  }

  /// That of the store, whether it is served or not.
  private func certificate(named name: String) -> TLSCertificate? {
    if let leftOut = unserved[ResourceID(.certificates, name)] {
      return leftOut.operation?.result?.certificate
    }
    return desk.shelf[name]
  }

  func requireStore() throws(TransactionRefusal) -> StoreLink {
    guard let storeLink else {
      throw TransactionRefusal(
        .storeUnavailable,
        [
          ResourceProblem(
            nil, "there is no store to keep changes in",
            hint: "write store: {path: penstock.db} in the configuration file")
        ])
    }
    if let reason = storeLink.frozen {
      throw TransactionRefusal(.storeUnavailable, [ResourceProblem(nil, reason)])
    }
    return storeLink
  }
}
