/**
 * Connections to public addresses only. An address is looked at where it is connected to, so that no name can stand for one
 * address when it is checked and for another one afterwards.
 */
import { lookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { OutletError } from './outlet.ts'

/** The special-purpose addresses of IANA's registries that are not of the public internet. */
const privateRanges = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24'],
  ...['203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  // The last four lead to addresses of IPv4, which may be any of the above.
  ...[
    '::/128',
    '::1/128',
    '100::/64',
    '2001:db8::/32',
    '3fff::/20',
    '5f00::/16',
    'fc00::/7',
    'fe80::/10',
    'fec0::/10'
  ],
  ...['ff00::/8', '64:ff9b::/96', '64:ff9b:1::/48', '2001::/23', '2002::/16']
]

const notPublic = new BlockList()
for (const range of privateRanges) {
  const [address = '', bits = '0'] = range.split('/')
  notPublic.addSubnet(address, Number(bits), address.includes(':') ? 'ipv6' : 'ipv4')
}

/** Also for IPv4 addresses that are written as IPv6. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && !notPublic.check(address, family === 6 ? 'ipv6' : 'ipv4')
}

/** Throws for a URL whose host is an address that is not public: nobody looks that one up. */
export function checkHost({ hostname }: URL): void {
  const address = hostname.replace(/^\[|\]$/g, '')
  if (isIP(address) !== 0 && !isPublicAddress(address)) throw refused(address)
}

/** For `http.request`: what it answers is what is connected to. One private address refuses the name. */
export const lookupPublic: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return callback(error, '', 0)
    const bad = addresses.find(({ address }) => !isPublicAddress(address))
    if (bad !== undefined) return callback(refused(hostname), '', 0)
    if (options.all === true) return callback(null, addresses)
    const [first] = addresses
    if (first === undefined) return callback(refused(hostname), '', 0)
    callback(null, first.address, first.family)
  })
}

function refused(host: string): OutletError {
  return new OutletError(
    `${host} is not an address of the public internet; allow private ones if it is meant`
  )
}
