/// How it goes with resources that come by the admin API, for metrics.
public struct ResourceFigures: Sendable, Equatable {
  /// Whether one is configured.
  public var hasStore = false
  /// It cannot be used now: what runs goes on.
  public var storeProblem = false
  /// Resources of the store that are not served, because files say otherwise or they cannot be read.
  public var unservedCount = 0
  /// A token is configured for the admin API and cannot be read.
  public var isTokenLost = false
  public var transactionsApplied: UInt64 = 0
  public var transactionsRefused: UInt64 = 0
  /// Of the last change that every worker serves.
  public var servedRevision: UInt64 = 0
  public init() {}
}

enum ResourceMetrics {
  static func append(_ figures: ResourceFigures, to page: inout PrometheusText) {
    page.single(
      "penstock_config_served_revision", .gauge, "Revision that every worker serves.", figures.servedRevision)
    page.begin(
      "penstock_transactions_total", .counter, "Changes asked for by the admin API, by result.")
    page.sample(["result": "applied"], figures.transactionsApplied)
    page.sample(["result": "refused"], figures.transactionsRefused)
    page.gauge(
      "penstock_admin_token_lost", "1 when the token of the admin API cannot be read.",
      figures.isTokenLost ? 1 : 0)
    guard figures.hasStore else { return }
    page.gauge("penstock_store_up", "1 while the store can be used.", figures.storeProblem ? 0 : 1)
    page.gauge(
      "penstock_store_unserved", "Resources of the store that are not served.", figures.unservedCount)
  }
}
