/** Which version of the package this is, for nodes that tell each other. A test holds it to the manifest. */
export const VERSION = '0.1.0'
