/// The version of the program, as `penstock version`, metrics and health checks say it.
public enum Version {
  public static let current = "0.1.0"
}
