// SPDX-License-Identifier: GPL-2.0

//! `udp-tunnel`: a link through a network, to a block or a VXLAN device of another host. A packet that comes here leaves in
//! UDP, from whichever side it comes; what the other end sends goes up from here.

use lana::prelude::{
    address::Address,
    option::{Number, Value},
    *,
};

#[path = "udp_tunnel/vxlan.rs"]
mod vxlan;

block_module! {
    type: UdpTunnel,
    name: "fb_udp_tunnel",
    authors: ["The LANA developers"],
    description: "LANA block: a tunnel over UDP, also as VXLAN",
    license: "GPL",
    alias: ["lana-fb-udp-tunnel"],
}

/// The address of a host that others can reach, wherever on the way it is.
#[derive(Clone, Copy, PartialEq)]
struct Host(Address);

impl Value for Host {
    const VALUES: Values =
        Values::Text("an IPv4 or IPv6 address of one host, not a link-local one");
    fn parse(text: &str) -> Option<Self> {
        let address = Address::parse(text).filter(|address| address.is_host())?;
        // Which link it is of would be open.
        let is_link_local =
            matches!(address, Address::V6(address) if address >> 118 == 0xfe80 >> 6);
        (!is_link_local).then_some(Self(address))
    }
    fn write(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

words! {
    /// What the payload of a datagram is.
    enum Format {
        /// A frame.
        Plain = "plain",
        /// A VXLAN header and a frame.
        Vxlan = "vxlan",
    }
}

options! {
    /// What can be set.
    struct Config {
        /// Address of this host that the tunnel uses. Empty: the route decides, and all addresses receive
        local: Option<Host> = None,
        /// Address of the other end. The block drops packets from others, as filtered
        remote: Option<Host> = None,
        /// UDP port of both ends. The tunnel is open when this and remote are set
        port: Option<Number<1, 65535>> = None,
        /// A frame is the whole payload (plain), or has a VXLAN header in front (vxlan)
        format: Format = Format::Plain,
        /// VXLAN network identifier. The block drops packets with another, as filtered
        vni: Number<0, { vxlan::VNI_MAX as u64 }> = Number(0),
        /// Number of received packets that can wait to go up. The rest is dropped, and counted as full
        limit: Number<1, { HoldQueue::MOST as u64 }> = Number(1000),
    }
}

#[derive(Zeroable)]
struct Counts {
    sent: Count,
    received: Count,
    other: Count,
}

/// What a socket is bound to: a port, of IPv6 or IPv4.
#[derive(Clone, Copy, PartialEq)]
struct Bound {
    port: u16,
    ipv6: bool,
}

/// An open socket. What it receives waits in the queue of the block that has it.
struct Open {
    bound: Bound,
    socket: UdpSocket,
}

/// A tunnel: all that goes along when another block takes its place.
#[derive(Clone)]
struct Tunnel {
    config: Config,
    open: Option<Arc<Open>>,
    queue: Arc<HoldQueue>,
}

struct UdpTunnel {
    tunnel: Tunnel,
    counts: Arc<PerCpu<Counts>>,
}

impl Config {
    /// What the socket for these options is bound to; none as long as there is to be none.
    fn bound(&self) -> Result<Option<Bound>, Failure> {
        let is_v6 = |Host(address)| matches!(address, Address::V6(_));
        if let (Some(local), Some(remote)) = (self.local, self.remote) {
            if is_v6(local) != is_v6(remote) {
                return Err(fail!(EINVAL, "local and remote are of different families"));
            }
        }
        let both = self.port.zip(self.remote);
        Ok(both.map(|(port, remote)| Bound {
            port: port.0 as u16,
            ipv6: is_v6(remote),
        }))
    }

    /// The network identifier, where there is a VXLAN header.
    fn vni(&self) -> Option<u32> {
        (self.format == Format::Vxlan).then_some(self.vni.0 as u32)
    }
}

impl Tunnel {
    fn open(&self, bound: Bound, process: &Process) -> Result<Arc<Open>, Failure> {
        let Bound { port, ipv6 } = bound;
        let socket = self.queue.udp(port, ipv6, process);
        let socket = socket.map_err(|error| match error {
            EADDRINUSE => fail!(error, "port {port} is in use"),
            EAFNOSUPPORT => fail!(error, "this kernel has no IPv6"),
            EOPNOTSUPP => fail!(
                error,
                "this kernel has no UDP tunnels (CONFIG_NET_UDP_TUNNEL)"
            ),
            error => error.into(),
        })?;
        Ok(Arc::new(Open { bound, socket }, GFP_KERNEL)?)
    }

    /// The same by other options. The socket stays where it has the port that these want.
    fn with(&self, config: Config, process: &Process) -> Result<Self, Failure> {
        self.queue.make_room(config.limit.0 as u32, process)?;
        let open = match (config.bound()?, &self.open) {
            (None, _) => None,
            (Some(bound), Some(open)) if open.bound == bound => Some(open.clone()),
            (Some(bound), _) => Some(self.open(bound, process)?),
        };
        let queue = self.queue.clone();
        Ok(Self {
            config,
            open,
            queue,
        })
    }
}

impl UdpTunnel {
    fn send(&self, packet: Skb, cx: &mut Context<'_>) -> Verdict<Skb> {
        let config = &self.tunnel.config;
        let (Some(open), Some(Host(remote))) = (&self.tunnel.open, config.remote) else {
            return Verdict::drop(packet, DropReason::Device);
        };
        let path = UdpPath {
            local: config.local.map(|Host(local)| local),
            remote,
            vni: config.vni(),
        };
        let counts = self.counts.this(cx.cpu());
        open.socket
            .transmit(packet, &path, cx, || counts.sent.add(1))
    }

    /// Makes a frame of what the socket has received, if it is of the other end.
    fn take(&self, packet: &mut Skb, counts: &Counts) -> Result<(), DropReason> {
        let config = &self.tunnel.config;
        let outer = packet.outer();
        if outer.is_looping {
            return Err(DropReason::HopLimit);
        }
        let mut is_ours = config.remote == Some(Host(outer.source))
            && config
                .local
                .is_none_or(|local| local == Host(outer.destination));
        let mut in_front = 0;
        if let Some(vni) = config.vni().filter(|_| is_ours) {
            let header = packet.header(vxlan::LEN).and_then(vxlan::vni);
            is_ours = header.ok_or(DropReason::Malformed)? == vni;
            in_front = vxlan::LEN;
        }
        if !is_ours {
            counts.other.add(1);
            return Err(DropReason::Filtered);
        }
        match packet.open_frame(in_front) {
            true => Ok(()),
            false => Err(DropReason::Malformed),
        }
    }
}

impl Block for UdpTunnel {
    const TYPE: &'static str = "udp-tunnel";
    const HOLDS: bool = true;
    const OPTIONS: &'static [OptionSpec] = Config::OPTIONS;

    fn new(args: &mut Args) -> Result<Self> {
        let queue = args.hold_queue()?;
        queue.resize(Config::DEFAULT.limit.0 as u32, args.process())?;
        let tunnel = Tunnel {
            config: Config::DEFAULT,
            open: None,
            queue: Arc::new(queue, GFP_KERNEL)?,
        };
        let counts = Arc::new(PerCpu::new(args.process())?, GFP_KERNEL)?;
        Ok(Self { tunnel, counts })
    }

    fn receive<P: Packet>(&self, packet: P, cx: &mut Context<'_>) -> Verdict<P> {
        packet.with_skb(cx, |skb, cx| self.send(skb, cx))
    }

    /// The socket has received it.
    fn release(&self, mut packet: Skb, cx: &mut Context<'_>) -> Verdict<Skb> {
        let counts = self.counts.this(cx.cpu());
        if let Err(reason) = self.take(&mut packet, counts) {
            return Verdict::drop(packet, reason);
        }
        counts.received.add(1);
        let direction = match cx.ports(Direction::Ingress) {
            0 => Direction::Egress,
            _ => Direction::Ingress,
        };
        Verdict::forward(
            packet,
            Port {
                direction,
                index: 0,
            },
        )
    }

    fn set(&self, key: &str, value: &[u8], process: &Process) -> Result<Self, Failure> {
        let config = self.tunnel.config.with(key, value);
        let config = config.ok_or_else(|| Self::unknown(key))??;
        Ok(Self {
            tunnel: self.tunnel.with(config, process)?,
            counts: self.counts.clone(),
        })
    }

    fn options(&self, to: &mut dyn Options, _process: &Process) {
        let mut sum = |name, part: fn(&Counts) -> &Count| {
            let parts = self.counts.iter().map(|(_, counts)| part(counts).get());
            let sum = parts.fold(0, u64::wrapping_add);
            to.put(name, format_args!("{sum}"));
        };
        sum("sent", |counts| &counts.sent);
        sum("received", |counts| &counts.received);
        sum("other", |counts| &counts.other);
        to.put("full", format_args!("{}", self.tunnel.queue.refused()));
        self.tunnel.config.put(to);
    }

    /// A block without options takes over the tunnel, and gives its own in turn; of two tunnels each block keeps its own.
    fn adopt(&self, old: &Self, _process: &Process) -> Result<Option<Self>, Failure> {
        let is_new = |block: &Self| block.tunnel.config == Config::DEFAULT;
        let from = match is_new(self) || is_new(old) {
            true => old,
            false => self,
        };
        Ok(Some(Self {
            tunnel: from.tunnel.clone(),
            counts: old.counts.clone(),
        }))
    }

    fn placed(&self, place: &Place<'_>) {
        let tunnel = &self.tunnel;
        tunnel.queue.stand(tunnel.config.limit.0 as u32, place);
    }
}
