"""Cyclone DDS configuration of a process: this machine only unless the user configures Cyclone DDS himself."""

import functools
import os

from cyclonedds.domain import Domain

# Loopback: nothing leaves the machine. Participants find each other by the unicast port of their index, so both sides
# need 'auto'. Message sizes and timings: with the usual kernel limit of 208 kB per socket, the defaults lose most
# images of 640x480; with these values reliable topics lose none. 'max' sizes are wishes, a 'min' would be a demand.
LOOPBACK_CONFIGURATION = """
<Domain Id="any">
  <General>
    <Interfaces><NetworkInterface name="lo" multicast="false"/></Interfaces>
    <AllowMulticast>false</AllowMulticast>
    <MaxMessageSize>65500B</MaxMessageSize>
    <FragmentSize>15000B</FragmentSize>
    <MaxRexmitMessageSize>65500B</MaxRexmitMessageSize>
  </General>
  <Discovery>
    <ParticipantIndex>auto</ParticipantIndex>
    <MaxAutoParticipantIndex>120</MaxAutoParticipantIndex>
    <Peers><Peer Address="127.0.0.1"/></Peers>
  </Discovery>
  <Internal>
    <SocketReceiveBufferSize max="4MB"/>
    <NackDelay>1ms</NackDelay>
    <AutoReschedNackDelay>5ms</AutoReschedNackDelay>
    <HeartbeatInterval min="1ms" minsched="2ms" max="8s">20ms</HeartbeatInterval>
  </Internal>
</Domain>
"""
URI_VARIABLE = 'CYCLONEDDS_URI'
DOMAIN_VARIABLE = 'ROS_DOMAIN_ID'
MAX_DOMAIN_ID = 232


def domain_id_from_environment() -> int:
    """Domain id given by ROS_DOMAIN_ID, 0 where it is not set; ValueError for anything but 0 to 232."""
    text = os.environ.get(DOMAIN_VARIABLE) or '0'
    if not text.isdigit() or int(text) > MAX_DOMAIN_ID:
        raise ValueError(f'{DOMAIN_VARIABLE} is {text!r}: set it to a number from 0 to {MAX_DOMAIN_ID}')
    return int(text)


@functools.cache
def configured_domain(domain_id: int) -> Domain | None:
    """Create the domain of this process once; None where CYCLONEDDS_URI holds the user's own configuration."""
    if os.environ.get(URI_VARIABLE):
        return None
    return Domain(domain_id, LOOPBACK_CONFIGURATION)
