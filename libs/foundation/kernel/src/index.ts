export { canonicalJson, sha256Hex } from './canonical-json.js';
export { ManualClock, steadyClock, systemClock, type Clock } from './clock.js';
export {
  booleanSetting,
  ConfigError,
  integerSetting,
  labelsSetting,
  portSetting,
  readConfig,
  secretSetting,
  stringSetting,
  type Setting,
  type Settings,
  type Values,
} from './config.js';
export { digitsOfValue, readWhole, valueOfDigits, writeWhole } from './digits.js';
export { randomIds, SequentialIds, type IdSource } from './ids.js';
export { networkTest, parseNetwork, type Network } from './network.js';
export { HIDDEN, Redaction, SecretNames } from './redaction.js';
export { Secret } from './secret.js';
export { SET_DIGEST_BUCKETS, SetDigest } from './set-digest.js';
export { unreachable } from './unreachable.js';
