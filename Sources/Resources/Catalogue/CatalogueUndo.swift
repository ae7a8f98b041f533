extension AppliedBatch {
  /// The changes that undo this, for what does not depend on their order.
  var inverse: AppliedBatch {
    var inverse = AppliedBatch()
    inverse.listeners = listeners.map { Change(before: $0.after, after: $0.before) }
    inverse.services = services.map { Change(before: $0.after, after: $0.before) }
    inverse.certificates = certificates.map { Change(before: $0.after, after: $0.before) }
    inverse.routes = routes.map { Change(before: $0.after, after: $0.before) }
    inverse.consumers = consumers.map { Change(before: $0.after, after: $0.before) }
    inverse.plugins = plugins.map { Change(before: $0.after, after: $0.before) }
    return inverse
  }
}

extension Catalogue {
  /// Undoes everything but the order of names, last change first.
  ///
  /// Routes and certificates find what they refer to by name, so what was removed behind them has to be
  /// back before, and what was added before them may only go after.
  func revert(_ applied: AppliedBatch) {
    restoreRemoved(applied.services) { link($0) }
    for case (let before?, nil) in applied.services.map({ ($0.before, $0.after) }) { linkPlugins(before) }
    restoreRemoved(applied.listeners) { link($0) }
    revertPuts(applied.plugins, link: { link($0) }, unlink: { unlink($0) })
    revertPuts(applied.consumers, link: { link($0, except: { _ in false }) }, unlink: { unlink($0) })
    revertPuts(applied.routes, link: { link($0, except: { _ in false }) }, unlink: { unlink($0) })
    revertPuts(applied.certificates, link: { link($0, except: { _ in false }) }, unlink: { unlink($0) })
    revertServices(applied.services)
    revertPuts(applied.listeners, link: { link($0) }, unlink: { unlink($0) })
    restoreRemoved(applied.certificates) { link($0, except: { _ in false }) }
    restoreRemoved(applied.routes) { link($0, except: { _ in false }) }
    restoreRemoved(applied.consumers) { link($0, except: { _ in false }) }
    restoreRemoved(applied.plugins) { link($0) }
    restore(applied.moved.listeners)
    restore(applied.moved.services)
    restore(applied.moved.certificates)
    restore(applied.moved.routes)
    restore(applied.moved.consumers)
    restore(applied.moved.plugins)
  }

  /// What their plugins name is looked up while all of them are in the table.
  private func revertServices(_ changes: [AppliedBatch.Change<Service>]) {
    for change in changes { if let after = change.after { unlinkPlugins(after) } }
    revertPuts(changes, link: { link($0) }, unlink: { unlink($0) })
    for change in changes where change.after != nil { if let before = change.before { linkPlugins(before) } }
  }

  private func restoreRemoved<Value: CatalogueValue>(
    _ changes: [AppliedBatch.Change<Value>], link: (CatalogueEntry<Value>) -> Void
  ) {
    for change in changes.reversed() where change.after == nil {
      guard let before = change.before else { continue }
      Value.table(of: self).restore(before)
      link(before)
    }
  }

  private func revertPuts<Value: CatalogueValue>(
    _ changes: [AppliedBatch.Change<Value>], link: (CatalogueEntry<Value>) -> Void,
    unlink: (CatalogueEntry<Value>) -> Void
  ) {
    let table = Value.table(of: self)
    for change in changes.reversed() {
      guard let after = change.after else { continue }
      unlink(after)
      if let before = change.before {
        table.replace(with: before)
        link(before)
      } else {
        table.remove(after)
      }
    }
  }

  private func restore<Value: CatalogueValue>(_ changes: [AppliedBatch.Change<Value>]) {
    for change in changes {
      if let before = change.before { Value.table(of: self).replace(with: before) }
    }
  }
}
